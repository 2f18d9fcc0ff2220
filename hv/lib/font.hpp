// The letters of the log on a graphical screen: five columns of seven dots each, from top left to
// bottom right in 35 bits, drawn twice as high in a cell of 8 by 16.
#pragma once

#include "hv/lib/types.hpp"

#include <array>

namespace skep::hv {

inline constexpr char kFirstGlyph = ' ', kLastGlyph = '~';
inline constexpr std::array<u64, kLastGlyph - kFirstGlyph + 1> kGlyphs = {
    0x000000000, 0x108420084, 0x294a00000, 0x2bea52bea, 0x11f4717c4, 0x632222263, 0x32544564d,
    0x108800000, 0x088842082, 0x208210888, 0x009575480, 0x0084f9080, 0x000003088, 0x0000f8000,
    0x00000018c, 0x042222210, 0x3a33ae62e, 0x11942109f, 0x3a213221f, 0x7c223062e, 0x08ca97c42,
    0x7e1e0862e, 0x1910f462e, 0x7e2111084, 0x3a317462e, 0x3a317844c, 0x018c03180, 0x018c03088,
    0x044441041, 0x001f07c00, 0x410411110, 0x3a2111004, 0x3a37ada0f, 0x11518fe31, 0x79297253e,
    0x3a308422e, 0x72518c65c, 0x7e10f421f, 0x7e10f4210, 0x3a309c62f, 0x4631fc631, 0x38842108e,
    0x1c4210a4c, 0x4654c5251, 0x42108421f, 0x4775ac631, 0x4739ace71, 0x3a318c62e, 0x7a31f4210,
    0x3a318d64d, 0x7a31f5251, 0x3e107043e, 0x7c8421084, 0x46318c62e, 0x46318a944, 0x4631ad771,
    0x462a22a31, 0x462a21084, 0x7c222221f, 0x39084210e, 0x420820821, 0x38421084e, 0x115100000,
    0x00000001f, 0x208200000, 0x000e0be2f, 0x4216cc736, 0x000e8420e, 0x042d9c66d, 0x000e8fe0e,
    0x1928e2108, 0x01b39b42e, 0x4216cc631, 0x100c2108e, 0x080610a4c, 0x210953149, 0x30842108e,
    0x001aad6b5, 0x0016cc631, 0x000e8c62e, 0x02d9cda10, 0x01b39b421, 0x0016cc210, 0x000f8383e,
    0x211e42126, 0x00118c66d, 0x00118a944, 0x0011ad6aa, 0x001151151, 0x02319b42e, 0x001f1111f,
    0x0c8441083, 0x108421084, 0x608411098, 0x0008a8800};
inline constexpr u32 kGlyphColumns = 5, kGlyphRows = 7, kCellWidth = 8, kCellHeight = 16;

// Whether the dot at (x, y) of a cell is set.
constexpr bool glyph_dot(char c, u32 x, u32 y) {
    if (c < kFirstGlyph || c > kLastGlyph)
        c = '?';
    const u32 column = x - 1, row = (y - 1) / 2;
    return x >= 1 && y >= 1 && column < kGlyphColumns && row < kGlyphRows &&
           (kGlyphs[static_cast<unsigned>(c - kFirstGlyph)] >>
                (kGlyphColumns * kGlyphRows - 1 - row * kGlyphColumns - column) &
            1) != 0;
}

}  // namespace skep::hv
