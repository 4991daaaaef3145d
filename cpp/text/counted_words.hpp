// Finding the equal words of a text.
#pragma once

#include <span>
#include <string_view>

#include "djfast/arena.hpp"
#include "djfast/column.hpp"

namespace djfast::text {

/// Numbers and counts the words of a text. The result points into `arena` and to the bytes of the words.
RowWords count_words(std::span<const std::string_view> words, Arena& arena);

}  // namespace djfast::text
