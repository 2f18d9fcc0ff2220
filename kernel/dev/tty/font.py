"""Writes the characters of a font of GRUB's (PFF2, grub-dev(7)) as C++: font.py FONT OUT. 8 by 16, ASCII from the space on."""

import struct
import sys

ROWS, ASCENT = 16, 14
FIRST, LAST = 0x20, 0x7E


def sections(font: bytes) -> dict[str, bytes]:
    found, at = {}, 0
    while at + 8 <= len(font):
        name, size = font[at:at + 4].decode(), int.from_bytes(font[at + 4:at + 8], "big")
        if name == "DATA":
            break
        found[name] = font[at + 8:at + 8 + size]
        at += 8 + size
    return found


def rows(font: bytes, at: int) -> list[int]:
    width, height, x, y, _ = struct.unpack_from(">HHhhH", font, at)
    bits = font[at + 10:at + 10 + (width * height + 7) // 8]
    result = [0] * ROWS
    for n in range(width * height):
        if bits[n // 8] >> (7 - n % 8) & 1:
            row, column = ASCENT - y - height + n // width, x + n % width
            if 0 <= row < ROWS and 0 <= column < 8:
                result[row] |= 0x80 >> column
    return result


def main(source: str, target: str) -> None:
    font = open(source, "rb").read()
    index = sections(font)["CHIX"]
    glyphs = {code: offset for code, _, offset in struct.iter_unpack(">IBI", index)}
    lines = ["    {" + ", ".join(f"0x{row:02x}" for row in rows(font, glyphs[code])) + "},"
             for code in range(FIRST, LAST + 1)]
    with open(target, "w") as out:
        out.write("#include <kernel/dev/tty/font.hpp>\n\nnamespace skep::kernel {\n\n"
                  "const std::uint8_t console_font[kFontCharacters][kFontRows] = {\n" + "\n".join(lines) +
                  "\n};\n\n}  // namespace skep::kernel\n")


main(*sys.argv[1:])
