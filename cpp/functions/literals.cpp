// Replacement of fixed texts.
#include <string>
#include <string_view>

#include "djfast/function.hpp"
#include "djfast/rewriting.hpp"

namespace djfast {
namespace {

std::string_view replace_literal(std::string_view text, std::string_view wanted, std::string_view replacement, Arena& arena) {
  Rewriting rewriting(text, arena);
  for (std::size_t at = text.find(wanted); at != std::string_view::npos; at = text.find(wanted, at + wanted.size())) {
    rewriting.replace(at, at + wanted.size(), replacement);
  }
  return rewriting.finish();
}

}  // namespace

void register_literals(Registry& registry) {
  registry.add({
      .name = "replace_literal",
      .summary = "The text with every occurrence of `literal`, which is not empty, replaced by `repl`, both taken literally.",
      .inputs = {Type::text},
      .output = Type::text,
      .make =
          [](const Params& params) {
            const auto& literal = params.get<std::string>("literal");
            if (literal.empty()) throw InternalError("replace_literal: the empty text occurs everywhere");
            return per_text_rewrite(
                [literal, replacement = params.get<std::string>("repl")](std::string_view text, Arena& arena) {
                  return replace_literal(text, literal, replacement, arena);
                });
          },
  });
}

}  // namespace djfast
