// Letter case of whole texts.
#include "djfast/function.hpp"
#include "djfast/unicode.hpp"

namespace djfast {

void register_letter_case(Registry& registry) {
  registry.add({
      .name = "lower",
      .summary = "Lower case as Python's str.lower: full mapping, final sigma.",
      .inputs = {Type::text},
      .output = Type::text,
      .cost = 300,
      .make = [](const Params&) { return per_text_rewrite(&unicode::lower); },
  });
}

}  // namespace djfast
