#include "hv/boot/elf.hpp"

#include <cstring>

namespace skep::hv {

namespace {

// System V ABI, "Object Files": the 64-bit layouts.
struct ElfHeader {
    u8 ident[16];
    u16 type, machine;
    u32 version;
    u64 entry, phoff, shoff;
    u32 flags;
    u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
static_assert(sizeof(ElfHeader) == 64);

struct ProgramHeader {
    u32 type, flags;
    u64 offset, vaddr, paddr, filesz, memsz, align;
};
static_assert(sizeof(ProgramHeader) == 56);

constexpr u8 kIdent[] = {0x7f, 'E', 'L', 'F', 2 /* 64-bit */, 1 /* little endian */};
constexpr u16 kMachineX86_64 = 62;
constexpr u32 kTypeLoad = 1;

bool within(u64 start, u64 size, u64 limit) {
    return size <= limit && start <= limit - size;
}

}  // namespace

Result<u32> load_elf(std::span<const u8> file, const LoadWindow& window) {
    ElfHeader header;
    if (file.size() < sizeof header)
        return fail(abi::Error::Invalid);
    std::memcpy(&header, file.data(), sizeof header);
    if (std::memcmp(header.ident, kIdent, sizeof kIdent) != 0 || header.machine != kMachineX86_64 ||
        header.phentsize != sizeof(ProgramHeader) ||
        !within(header.phoff, u64{header.phnum} * sizeof(ProgramHeader), file.size()))
        return fail(abi::Error::Invalid);

    u64 entry = 0;
    for (unsigned i = 0; i < header.phnum; ++i) {
        ProgramHeader segment;
        std::memcpy(&segment, file.data() + header.phoff + i * sizeof segment, sizeof segment);
        if (segment.type != kTypeLoad || segment.memsz == 0)
            continue;
        if (segment.paddr < window.base || segment.filesz > segment.memsz ||
            !within(segment.paddr - window.base, segment.memsz, window.size) ||
            !within(segment.offset, segment.filesz, file.size()))
            return fail(abi::Error::Invalid);
        u8* target = window.memory + (segment.paddr - window.base);
        std::memcpy(target, file.data() + segment.offset, segment.filesz);
        std::memset(target + segment.filesz, 0, segment.memsz - segment.filesz);
        if (header.entry >= segment.vaddr && header.entry - segment.vaddr < segment.memsz)
            entry = header.entry - segment.vaddr + segment.paddr;
    }
    if (entry == 0)
        return fail(abi::Error::Invalid);
    return static_cast<u32>(entry);
}

}  // namespace skep::hv
