// Tables on code points: their classes (djfast::unicode::Class has the meaning of each bit) and their lower case.
#pragma once

#include <cstdint>

namespace djfast::kernels::text {

extern const std::uint8_t class_stage[0x1100];
extern const std::uint16_t class_blocks[];
extern const std::uint8_t lower_stage[0x1100];
extern const std::int32_t lower_blocks[];

/// 1 for bytes that start a code point whose lower case differs, 0 for others.
extern const std::uint8_t lower_leads[256];

/// Class bits of a code point below 0x110000.
inline std::uint16_t class_bits(char32_t code_point) noexcept {
  return class_blocks[class_stage[code_point >> 8] << 8 | (code_point & 0xFF)];
}

/// What to add to a code point below 0x110000 to get its lower case; 0 for U+0130, which becomes two code points.
inline std::int32_t lower_distance(char32_t code_point) noexcept {
  return lower_blocks[lower_stage[code_point >> 8] << 8 | (code_point & 0xFF)];
}

}  // namespace djfast::kernels::text
