// The list of native functions, by topic.
#include <string>

#include "djfast/function.hpp"

namespace djfast {

void register_choices(Registry& registry);
void register_comparisons(Registry& registry);
void register_stats(Registry& registry);
void register_letter_case(Registry& registry);
void register_fields(Registry& registry);
void register_repetition(Registry& registry);
void register_text_size(Registry& registry);
void register_words(Registry& registry);
void register_characters(Registry& registry);
void register_emails(Registry& registry);
void register_links(Registry& registry);
void register_ip_addresses(Registry& registry);
void register_copyright(Registry& registry);
void register_literals(Registry& registry);
void register_latex(Registry& registry);
void register_unwanted_words(Registry& registry);
void register_unwanted_characters(Registry& registry);
void register_repeated_sentences(Registry& registry);
void register_table_text(Registry& registry);
void register_repair(Registry& registry);
void register_exact_keys(Registry& registry);
void register_similarity_keys(Registry& registry);
void register_language(Registry& registry);
void register_line_keys(Registry& registry);

void FunctionSpec::check_count(std::size_t arguments) const {
  if (arguments == inputs.size()) return;
  throw UserError(std::string{name} + " takes " + std::to_string(inputs.size()) + " arguments, got " + std::to_string(arguments));
}

void FunctionSpec::check(std::span<const Column* const> arguments, std::size_t row_count) const {
  check_count(arguments.size());
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const Type type = type_of(*arguments[i]);
    const bool is_taken = inputs[i].has(type) || (type == Type::text && inputs[i].has(Type::json));
    const std::size_t entries = size_of(*arguments[i]);
    if (is_taken && entries == row_count) continue;
    throw UserError(std::string{name} + ": argument " + std::to_string(i) + " must be " + inputs[i].names() + " for " +
                    std::to_string(row_count) + " rows, got " + std::string{name_of(type)} + " for " + std::to_string(entries));
  }
}

void Registry::add(FunctionSpec spec) {
  const auto name = spec.name;
  if (!functions_.emplace(name, std::move(spec)).second) {
    throw InternalError("native function registered twice: " + std::string{name});
  }
}

const FunctionSpec& Registry::find(std::string_view name) const {
  const auto found = functions_.find(name);
  if (found == functions_.end()) throw UserError("no such native function: " + std::string{name});
  return found->second;
}

const Registry& registry() {
  static const Registry all = [] {
    Registry functions;
    register_choices(functions);
    register_comparisons(functions);
    register_stats(functions);
    register_letter_case(functions);
    register_fields(functions);
    register_repetition(functions);
    register_text_size(functions);
    register_words(functions);
    register_characters(functions);
    register_emails(functions);
    register_links(functions);
    register_ip_addresses(functions);
    register_copyright(functions);
    register_literals(functions);
    register_latex(functions);
    register_unwanted_words(functions);
    register_unwanted_characters(functions);
    register_repeated_sentences(functions);
    register_table_text(functions);
    register_repair(functions);
    register_exact_keys(functions);
    register_similarity_keys(functions);
    register_language(functions);
    register_line_keys(functions);
    return functions;
  }();
  return all;
}

}  // namespace djfast
