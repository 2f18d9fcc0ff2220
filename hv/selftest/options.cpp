#include "hv/selftest/options.hpp"

#include "hv/boot/multiboot.hpp"
#include "hv/lib/font.hpp"

#include <algorithm>

extern "C" skep::hv::u32 boot_information;

namespace skep::hv::selftest {

namespace {

// Copies: the boot information is memory that random hypercalls may be given as a buffer.
char line_copy[512];
std::string_view line;

// The value of `key` (with its '='), or nothing.
std::string_view value_of(std::string_view key) {
    for (std::string_view rest = line; !rest.empty();) {
        const auto space = rest.find(' ');
        const std::string_view word = rest.substr(0, space);
        if (word.starts_with(key))
            return word.substr(key.size());
        rest = space == std::string_view::npos ? std::string_view{} : rest.substr(space + 1);
    }
    return {};
}

multiboot::BootInformation information() {
    constexpr std::size_t kMost = 1 << 20;
    return multiboot::BootInformation({reinterpret_cast<const u8*>(u64{boot_information}), kMost});
}

// The letter whose dots are on the screen; NUL if they are nobody's.
char read_glyph(const volatile u32* pixels, u32 stride) {
    for (char c = kFirstGlyph; c <= kLastGlyph; ++c) {
        bool same = true;
        for (u32 y = 0; y < kCellHeight; ++y) {
            for (u32 x = 0; x < kCellWidth; ++x)
                same &= (pixels[y * stride + x] != 0) == glyph_dot(c, x, y);
        }
        if (same)
            return c;
    }
    return 0;
}

}  // namespace

std::string_view screen_line() {
    static char text[200];
    if (const auto mode = information().text_mode()) {
        const auto* cells = reinterpret_cast<const volatile u16*>(u64{mode->address});
        for (u32 i = 0; i < mode->columns; ++i)
            text[i] = static_cast<char>(cells[i]);
        return {text, mode->columns};
    }
    const auto mode = information().graphics_mode();
    if (!mode || mode->pixel != sizeof(u32))
        return {};
    const auto* pixels = reinterpret_cast<const volatile u32*>(u64{mode->address});
    const u32 columns = std::min<u32>(mode->width / kCellWidth, sizeof text);
    for (u32 i = 0; i < columns; ++i)
        text[i] = read_glyph(pixels + i * kCellWidth, mode->pitch / 4);
    return {text, columns};
}

void read_options() {
    information().for_each_tag([](const multiboot::Tag& tag) {
        if (tag.type == multiboot::TagType::CommandLine)
            line = {line_copy, tag.text(0).copy(line_copy, sizeof line_copy)};
    });
}

bool is_wanted(std::string_view test) {
    std::string_view names = value_of("only=");
    if (names.empty())
        return true;
    while (!names.empty()) {
        const auto comma = names.find(',');
        if (test.find(names.substr(0, comma)) != std::string_view::npos)
            return true;
        names = comma == std::string_view::npos ? std::string_view{} : names.substr(comma + 1);
    }
    return false;
}

}  // namespace skep::hv::selftest
