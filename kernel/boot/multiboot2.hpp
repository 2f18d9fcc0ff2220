// The Multiboot2 boot information (specification 2.0, section 3.6), copied out of the loader's
// memory.
#pragma once

#include <kernel/dev/tty/framebuffer_mode.hpp>
#include <kernel/mm/physical.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace skep::kernel {

inline constexpr std::uint32_t kMultiboot2Magic = 0x36d7'6289;

struct MemoryRange {
    PhysAddr start, end;
};

struct BootModule {
    PhysAddr start, end;
    std::array<char, 128> command_line;  // NUL-terminated
    std::string_view name() const;       // its first word
};

struct BootInformation {
    std::array<char, 1024> command_line;  // NUL-terminated
    std::array<BootModule, 8> modules;
    std::size_t module_count;
    std::array<MemoryRange, 64> available;  // RAM, as the firmware reports it
    std::size_t available_count;
    std::array<std::uint8_t, 36>
        rsdp;  // ACPI 6.5, 5.2.5.3; the first byte is 0 if the loader gave none
    std::optional<FramebufferMode> framebuffer;  // with direct colours; nothing: another screen
    MemoryRange itself;

    // "key=value" of the command line -> value; empty if absent.
    std::string_view option(std::string_view key) const;
    bool has_word(std::string_view word) const;
    const BootModule* module(std::string_view name) const;
};

// Reads `size` (from the first word) bytes at `information`; what does not fit the arrays is left
// out.
void parse_multiboot2(const std::uint8_t* information, PhysAddr where, BootInformation& out);

extern BootInformation boot_information;

}  // namespace skep::kernel
