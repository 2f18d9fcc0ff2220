// The Multiboot2 boot information (Multiboot2 specification, section 3.6): reading it, and writing
// the edited one that the root domain's kernel gets. Free of hardware; the loader's bytes are
// checked.
#pragma once

#include "hv/lib/result.hpp"
#include "hv/lib/types.hpp"

#include <optional>
#include <span>
#include <string_view>

namespace skep::hv::multiboot {

inline constexpr u32 kLoaderMagic = 0x36d7'6289;

enum class TagType : u32 {
    End = 0,
    CommandLine = 1,
    Module = 3,
    MemoryMap = 6,
    Framebuffer = 8,
    ElfSections = 9,
    AcpiOld = 14,
    AcpiNew = 15,
    EfiMemoryMap = 17,
    LoadBase = 21,
};

struct Tag {
    TagType type;
    std::span<const u8> body;  // after type and size

    // The string that starts at `offset`, up to its NUL or the end of the tag.
    std::string_view text(std::size_t offset) const;
    u32 word(std::size_t offset) const;  // 0 beyond the end
    u64 quad(std::size_t offset) const;
};

struct Module {
    u32 start, end;         // host-physical
    std::string_view name;  // first word of its command line
    std::string_view arguments;
};

// A VGA text mode; nothing: the screen is another one.
struct TextMode {
    u32 address, columns, rows;
};

// A graphical mode of 24 or 32 bits a pixel, below 4 GiB.
struct GraphicsMode {
    u32 address, pixel, pitch, width, height;  // a pixel, a line: in bytes
};

struct MemoryRange {
    u64 base, length;
    u32 type;  // 1: available

    static constexpr u32 kAvailable = 1, kReserved = 2;
    constexpr u64 end() const { return base + length; }
};

class BootInformation {
  public:
    // `bytes` starts at the information's total_size and is at least that long.
    explicit BootInformation(std::span<const u8> bytes);

    // Calls visit(const Tag&) for each well-formed tag up to the end tag.
    template <class Visit>
    void for_each_tag(Visit visit) const {
        std::size_t offset = 8;
        while (auto tag = tag_at(offset)) {
            if (tag->type == TagType::End)
                return;
            visit(*tag);
            offset += align_up(8 + tag->body.size(), 8);
        }
    }
    template <class Visit>
    void for_each_range(Visit visit) const {
        for_each_tag([&](const Tag& tag) {
            const u32 entry_size = tag.type == TagType::MemoryMap ? tag.word(0) : 0;
            if (entry_size < 24)
                return;
            for (std::size_t at = 8; at + entry_size <= tag.body.size(); at += entry_size)
                visit(MemoryRange{tag.quad(at), tag.quad(at + 8), tag.word(at + 16)});
        });
    }
    std::optional<Module> module(std::string_view name) const;
    std::optional<TextMode> text_mode() const;
    std::optional<GraphicsMode> graphics_mode() const;

    // Writes the information for the root domain to `out`: [hidden_base, hidden_base + hidden_size)
    // reserved, the module `kernel` gone and its arguments as the command line, hv's own ELF
    // sections and load base gone, and no EFI memory map (it would show hv's memory as free).
    // NoMemory if `out` is too small; else the size.
    Result<std::size_t> write_edited(std::span<u8> out, u64 hidden_base, u64 hidden_size) const;

  private:
    std::optional<Tag> tag_at(std::size_t offset) const;

    std::span<const u8> bytes_;
};

Module parse_module(const Tag& tag);

}  // namespace skep::hv::multiboot
