// Where runs of other bytes begin and end between separator bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace djfast::kernels {

/// Sets bit i % 64 of marks[i / 64] where byte i of the text is `byte`, and all bits past the end of the text; one word for
/// every 64 bytes begun.
void mark_byte(std::string_view text, char byte, std::uint64_t* marks) noexcept;

/// Lists the positions where a marked byte follows an unmarked one or the reverse, ascending. What comes before the text
/// counts as marked, so positions alternate: first byte of a run of unmarked bytes, end of that run, and so on. `positions`
/// needs room for 16 entries more than the text has bytes. Returns the number of positions.
std::size_t list_changes(std::span<const std::uint64_t> marks, std::uint32_t* positions) noexcept;

}  // namespace djfast::kernels
