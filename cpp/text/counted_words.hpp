// Finding the equal words of a text.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "djfast/arena.hpp"
#include "djfast/column.hpp"

namespace djfast::text {

/// Numbers and counts the words of a text. The result points into `arena` and to the bytes of the words.
RowWords count_words(std::span<const std::string_view> words, Arena& arena);

using VisitWords = std::function<void(std::span<const std::string_view>)>;

/// The same for a text whose words come part by part, each time that `parts` is called: what it takes beside the result is
/// memory for distinct words only.
RowWords count_words_of_parts(const std::function<void(const VisitWords&)>& parts, Arena& arena);

}  // namespace djfast::text
