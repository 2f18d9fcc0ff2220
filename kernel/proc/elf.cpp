#include <kernel/proc/elf.hpp>

#include <kernel/mm/layout.hpp>
#include <kernel/mm/vm_map.hpp>

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <string_view>

namespace skep::kernel {

namespace {

template <typename T>
bool read(std::span<const std::byte> bytes, std::uint64_t at, T& out) {
    if (at > bytes.size() || sizeof out > bytes.size() - at)
        return false;
    std::memcpy(&out, bytes.data() + at, sizeof out);
    return true;
}

// Notes that lie in `head` (linkers put them first), of the name "FreeBSD" (sys/elf_common.h).
void read_freebsd_notes(std::span<const std::byte> head, const Elf64_Phdr& header,
                        ElfImage& image) {
    constexpr std::uint32_t kAbiTag = 1, kFeatures = 4, kWriteExecuteNeeded = 4;
    constexpr std::string_view kName{"FreeBSD", 8};
    for (std::uint64_t at = header.p_offset;
         at + sizeof(Elf64_Nhdr) <= header.p_offset + header.p_filesz;) {
        Elf64_Nhdr note;
        if (!read(head, at, note))
            return;
        at += sizeof note;
        const std::uint64_t description = at + ((std::uint64_t{note.n_namesz} + 3) & ~3ull);
        if (note.n_namesz == kName.size() && at + kName.size() <= head.size() &&
            std::memcmp(head.data() + at, kName.data(), kName.size()) == 0) {
            image.freebsd_note = image.freebsd_note || note.n_type == kAbiTag;
            std::uint32_t features = 0;
            if (note.n_type == kFeatures && note.n_descsz == sizeof features &&
                read(head, description, features))
                image.needs_write_execute = features & kWriteExecuteNeeded;
        }
        at = description + ((std::uint64_t{note.n_descsz} + 3) & ~3ull);
    }
}

Result<> add_segment(ElfImage& image, const Elf64_Phdr& h, std::uint64_t file_size) {
    if (h.p_memsz == 0)
        return {};
    if (image.segment_count == image.segments.size() || h.p_filesz > h.p_memsz ||
        h.p_vaddr >= kUserEnd || h.p_memsz > kUserEnd - h.p_vaddr || h.p_offset > file_size ||
        h.p_filesz > file_size - h.p_offset || h.p_offset % kPageSize != h.p_vaddr % kPageSize)
        return fail(Errno::NoExec);
    std::uint32_t protection = 0;
    if (h.p_flags & PF_R)
        protection |= kProtRead;
    if (h.p_flags & PF_W)
        protection |= kProtWrite;
    if (h.p_flags & PF_X)
        protection |= kProtExecute;
    const std::uint64_t start = h.p_vaddr & ~(kPageSize - 1);
    const std::uint64_t end = (h.p_vaddr + h.p_memsz + kPageSize - 1) & ~(kPageSize - 1);
    // Ascending and not overlapping, as the gABI asks.
    if (image.segment_count == 0)
        image.low = start;
    else if (start < image.high)
        return fail(Errno::NoExec);
    image.high = end;
    image.segments[image.segment_count++] = {h.p_vaddr, h.p_offset, h.p_filesz, h.p_memsz,
                                             protection};
    return {};
}

}  // namespace

Result<ElfImage> parse_elf(std::span<const std::byte> head, std::uint64_t file_size) {
    Elf64_Ehdr e;
    if (!read(head, 0, e) || std::memcmp(e.e_ident, ELFMAG, SELFMAG) != 0 ||
        e.e_ident[EI_CLASS] != ELFCLASS64 || e.e_ident[EI_DATA] != ELFDATA2LSB ||
        e.e_machine != EM_X86_64 || (e.e_type != ET_EXEC && e.e_type != ET_DYN) ||
        e.e_phentsize != kElfHeaderSize)
        return fail(Errno::NoExec);
    ElfImage image;
    image.os_abi = e.e_ident[EI_OSABI];
    image.position_independent = e.e_type == ET_DYN;
    image.entry = e.e_entry;
    image.header_count = e.e_phnum;
    for (unsigned i = 0; i < e.e_phnum; i++) {
        Elf64_Phdr h;
        if (e.e_phoff > head.size() || !read(head, e.e_phoff + i * sizeof h, h))
            return fail(Errno::NoExec);
        switch (h.p_type) {
            case PT_LOAD:
                SKEP_TRY(add_segment(image, h, file_size));
                if (e.e_phoff >= h.p_offset && e.e_phoff - h.p_offset < h.p_filesz)
                    image.headers_address = h.p_vaddr + (e.e_phoff - h.p_offset);
                break;
            case PT_INTERP:
                image.interpreter_offset = h.p_offset;
                image.interpreter_size = h.p_filesz;
                break;
            case PT_NOTE:
                read_freebsd_notes(head, h, image);
                break;
            default:
                break;
        }
    }
    if (image.segment_count == 0)
        return fail(Errno::NoExec);
    return image;
}

}  // namespace skep::kernel
