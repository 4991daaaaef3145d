// The list of native functions, by topic.
#include <string>

#include "djfast/function.hpp"

namespace djfast {

void register_comparisons(Registry& registry);
void register_language(Registry& registry);

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
    register_comparisons(functions);
    register_language(functions);
    return functions;
  }();
  return all;
}

}  // namespace djfast
