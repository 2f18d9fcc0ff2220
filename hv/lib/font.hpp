// The letters of the log on a graphical screen: those of GRUB's font
// (docs/decisions/0008-grubs-font.md).
#pragma once

#include "hv/console_font.hpp"
#include "hv/lib/types.hpp"

namespace skep::hv {

inline constexpr char kFirstGlyph = kFontFirst, kLastGlyph = kFontLast;
inline constexpr u32 kCellWidth = kFontColumns, kCellHeight = kFontRows;

// Whether the dot at (x, y) of a cell is set.
constexpr bool glyph_dot(char c, u32 x, u32 y) {
    if (c < kFirstGlyph || c > kLastGlyph)
        c = '?';
    return (kFont[static_cast<unsigned>(c - kFirstGlyph)][y] >> (kCellWidth - 1 - x) & 1) != 0;
}

}  // namespace skep::hv
