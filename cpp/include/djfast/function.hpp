// What a native function is: a declaration, and code on the columns of one batch.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "djfast/arena.hpp"
#include "djfast/column.hpp"
#include "djfast/errors.hpp"

namespace djfast {

/// What a function sees of a batch while it runs.
struct Call {
  std::span<const Column* const> arguments;  // in the order of FunctionSpec::inputs
  std::span<const std::uint32_t> rows;       // rows still alive, ascending; compute these and no others
  std::size_t row_count;                     // entries of every column, dead rows included
  Arena& arena;                              // bytes of computed texts; lives as long as the batch
  RowErrors& errors;                         // add(row, reason) rejects that row alone

  const Texts& texts(std::size_t argument) const { return std::get<Texts>(*arguments[argument]); }
};

/// A function with its parameters bound. One object serves all threads: `run` is const and keeps its scratch memory in
/// thread_local storage.
class Function {
 public:
  Function() = default;
  Function(const Function&) = delete;
  Function& operator=(const Function&) = delete;
  virtual ~Function() = default;
  virtual Column run(const Call& call) const = 0;
};

/// Values of a recipe as they reach native code. std::monostate is null.
using ParamValue = std::variant<std::monostate, bool, std::int64_t, double, std::string, std::vector<std::string>,
                                std::vector<std::int64_t>>;

class Params {
 public:
  Params() = default;
  explicit Params(std::map<std::string, ParamValue> values) : values_(std::move(values)) {}

  bool has(const std::string& name) const {
    const auto found = values_.find(name);
    return found != values_.end() && !std::holds_alternative<std::monostate>(found->second);
  }
  /// The value of a parameter that the plan always gives; InternalError when it is absent or of another type.
  template <class T>
  const T& get(const std::string& name) const {
    const auto found = values_.find(name);
    if (found == values_.end() || !std::holds_alternative<T>(found->second)) {
      throw InternalError("native parameter missing or of another type: " + name);
    }
    return std::get<T>(found->second);
  }
  /// A list of integers; empty when null. (An empty list is of no type, and is kept as one of texts.)
  std::vector<std::int64_t> integers(const std::string& name) const {
    if (!has(name)) return {};
    const auto* texts = std::get_if<std::vector<std::string>>(&values_.find(name)->second);
    if (texts != nullptr && texts->empty()) return {};
    return get<std::vector<std::int64_t>>(name);
  }
  /// Integers are accepted where a double is asked for.
  double number(const std::string& name) const {
    const auto found = values_.find(name);
    if (found != values_.end() && std::holds_alternative<std::int64_t>(found->second)) {
      return static_cast<double>(std::get<std::int64_t>(found->second));
    }
    return get<double>(name);
  }

 private:
  std::map<std::string, ParamValue> values_;
};

/// The declaration of a native function: what the planner, the docs and the tests read.
struct FunctionSpec {
  std::string_view name;
  std::string_view summary;  // one sentence: meaning, unit, what empty text gives
  std::vector<Types> inputs;
  Type output;
  int cost = 10;            // nanoseconds for each 1,000 bytes of text on one thread, roughly: the planner runs cheap filters first
  int memory = 1;           // bytes that it takes at most for each byte of text, its result included, roughly
  bool may_reject = false;  // whether it may reject rows
  std::function<std::unique_ptr<Function>(const Params&)> make;

  /// UserError unless there are as many arguments as inputs.
  void check_count(std::size_t arguments) const;
  /// UserError unless the arguments have the types of the inputs, and an entry for each row.
  void check(std::span<const Column* const> arguments, std::size_t row_count) const;
};

/// A function that is a plain per-row computation on one text: `compute(text) -> Value`.
template <class Value, class Compute>
class PerText final : public Function {
 public:
  explicit PerText(Compute compute) : compute_(std::move(compute)) {}
  Column run(const Call& call) const override {
    const Texts& texts = call.texts(0);
    std::vector<Value> values(call.row_count);
    for (const std::uint32_t row : call.rows) values[row] = compute_(texts[row]);
    return values;
  }

 private:
  Compute compute_;
};

template <class Value, class Compute>
std::unique_ptr<Function> per_text(Compute compute) {
  return std::make_unique<PerText<Value, Compute>>(std::move(compute));
}

/// A function that rewrites one text: `rewrite(text, arena) -> std::string_view`. It returns its argument itself (same
/// data pointer) when nothing changes: an unchanged field is then written back verbatim.
template <class Rewrite>
class PerTextRewrite final : public Function {
 public:
  explicit PerTextRewrite(Rewrite rewrite) : rewrite_(std::move(rewrite)) {}
  Column run(const Call& call) const override {
    const Texts& texts = call.texts(0);
    Texts rewritten(call.row_count);
    for (const std::uint32_t row : call.rows) rewritten[row] = rewrite_(texts[row], call.arena);
    return rewritten;
  }

 private:
  Rewrite rewrite_;
};

template <class Rewrite>
std::unique_ptr<Function> per_text_rewrite(Rewrite rewrite) {
  return std::make_unique<PerTextRewrite<Rewrite>>(std::move(rewrite));
}

/// The maker of a function that replaces what it finds by the parameter `repl`, taken literally:
/// `replace(text, replacement, arena)`, with the rule of PerTextRewrite.
inline auto per_text_replacement(std::string_view (*replace)(std::string_view, std::string_view, Arena&)) {
  return [replace](const Params& params) {
    return per_text_rewrite([replace, replacement = params.get<std::string>("repl")](std::string_view text, Arena& arena) {
      return replace(text, replacement, arena);
    });
  };
}

/// All native functions of this build, by name.
class Registry {
 public:
  void add(FunctionSpec spec);
  const FunctionSpec& find(std::string_view name) const;  // UserError when absent
  const std::map<std::string_view, FunctionSpec>& all() const noexcept { return functions_; }

 private:
  std::map<std::string_view, FunctionSpec> functions_;
};

/// The functions of this build, registered on first use.
const Registry& registry();

}  // namespace djfast
