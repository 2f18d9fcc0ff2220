// ELF64 executables: the header and the program headers, judged before anything is mapped (System V
// gABI, chapter 5).
#pragma once

#include <kernel/base/errno.hpp>

#include <array>
#include <cstdint>
#include <span>

namespace skep::kernel {

struct ElfSegment {
    std::uint64_t address, offset, file_size, memory_size;
    std::uint32_t protection;  // kProt*
};

struct ElfImage {
    std::uint8_t os_abi = 0;
    bool position_independent = false;
    bool freebsd_note = false;
    bool needs_write_execute = false;  // NT_FREEBSD_FCTL_WXNEEDED
    std::uint64_t entry = 0;
    std::uint64_t headers_address = 0;  // of the program headers in memory, 0 if in no segment
    std::uint16_t header_count = 0;
    std::array<ElfSegment, 16> segments{};
    std::size_t segment_count = 0;
    std::uint64_t interpreter_offset = 0, interpreter_size = 0;  // size 0: none
    // What the segments span, page aligned.
    std::uint64_t low = 0, high = 0;
};

inline constexpr std::uint16_t kElfHeaderSize = 56;  // of a program header

// `head` is the file's first bytes (a page, or all of it). Errors: NoExec.
Result<ElfImage> parse_elf(std::span<const std::byte> head, std::uint64_t file_size);

}  // namespace skep::kernel
