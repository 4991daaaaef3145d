// Where runs of other bytes begin and end between separator bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace djfast::kernels {

/// Sets bit i % 64 of marks[i / 64] where byte i of the text is `byte`, and all bits past the end of the text; one word
/// for every 64 bytes begun.
void mark_byte(std::string_view text, char byte, std::uint64_t* marks) noexcept;

/// Copies a text without the marked bytes that follow another one, or stand at its front, and leaves the marks of what was
/// copied, with all bits past its end set. Returns its size. `out` needs room for the text and 64 bytes.
std::size_t join_marked(std::string_view text, std::uint64_t* marks, char* out) noexcept;

/// Lists the positions where a marked byte follows an unmarked one or the reverse, ascending. What comes before the
/// text counts as marked, so positions alternate: first byte of a run of unmarked bytes, end of that run, and so on.
/// `positions` needs room for 16 entries more than the text has bytes. Returns the number of positions.
std::size_t list_changes(std::span<const std::uint64_t> marks, std::uint32_t* positions) noexcept;

}  // namespace djfast::kernels
