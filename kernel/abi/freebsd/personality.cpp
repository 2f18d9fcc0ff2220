// The native personality: how FreeBSD/amd64 programs start and call the kernel (System V psABI;
// sys/elf_common.h, amd64/amd64/exec_machdep.c for the registers).
#include <kernel/abi/freebsd/memory_policy.hpp>
#include <kernel/abi/freebsd/release.hpp>
#include <kernel/abi/freebsd/shared_page.hpp>
#include <kernel/abi/freebsd/signal_frame.hpp>
#include <kernel/abi/freebsd/tables.hpp>
#include <kernel/abi/freebsd/umtx.hpp>
#include <kernel/abi/personality.hpp>
#include <kernel/arch/x86_64/cpu.hpp>
#include <kernel/arch/x86_64/percpu.hpp>
#include <kernel/proc/exec.hpp>

#include <elf.h>

namespace skep::kernel {

namespace {

bool recognizes(const ElfImage& image) {
    return image.os_abi == ELFOSABI_FREEBSD || image.freebsd_note;
}

// syscall(2) and __syscall(2): the number is the first argument, the sixth of the call lies on the
// stack.
constexpr std::uint64_t kIndirect = 0, kIndirectQuad = 198;

std::uint64_t syscall_number(const TrapFrame& f, std::uint64_t (&a)[6]) {
    if (f.rax == kIndirect || f.rax == kIndirectQuad) {
        a[0] = f.rsi;
        a[1] = f.rdx;
        a[2] = f.r10;
        a[3] = f.r8;
        a[4] = f.r9;
        a[5] = copy_in<std::uint64_t>(f.rsp + sizeof(std::uint64_t)).value_or(0);
        return f.rdi & 0xffff'ffff;
    }
    a[0] = f.rdi;
    a[1] = f.rsi;
    a[2] = f.rdx;
    a[3] = f.r10;
    a[4] = f.r8;
    a[5] = f.r9;
    return f.rax;
}

void set_result(TrapFrame& f, const Result<std::uint64_t>& result) {
    f.rax = result ? *result : static_cast<std::uint64_t>(result.error());
    if (result)
        f.rflags &= ~kRflagsCarry;
    else
        f.rflags |= kRflagsCarry;
}

void restart_syscall(TrapFrame& f) {
    constexpr std::uint64_t kSyscallSize = 2;  // RAX still has the number
    f.rip -= kSyscallSize;
}

void start_program(TrapFrame& f, UserAddr stack) {
    f.rdi = stack;                       // where argc is
    f.rsp = ((stack - 8) & ~15ull) + 8;  // as after a call
}

// sys/elf_common.h
enum : std::uint64_t {
    kAtExecPath = 15,
    kAtCanary = 16,
    kAtCanaryLength = 17,
    kAtReleaseDate = 18,
    kAtCpus = 19,
    kAtPageSizes = 20,
    kAtPageSizesLength = 21,
    kAtTimeKeep = 22,
    kAtStackProtection = 23,
    kAtEhdrFlags = 24,
    kAtBsdFlags = 27,
    kAtArgumentCount = 28,
    kAtEnvironmentCount = 30,
    kAtStrings = 32,
    kAtUserStackBase = 35,
    kAtUserStackLimit = 36,
};

std::size_t auxiliary_vector(const StackLayout& layout, std::uint64_t (*pairs)[2],
                             std::size_t capacity) {
    const ElfImage& image = *layout.image;
    constexpr std::uint64_t kCanaryLength = 16;
    const std::uint64_t values[][2] = {
        {AT_PHDR, image.headers_address ? image.headers_address + layout.load_bias : 0},
        {AT_PHENT, kElfHeaderSize},
        {AT_PHNUM, image.header_count},
        {AT_PAGESZ, kPageSize},
        {AT_FLAGS, 0},
        {AT_ENTRY, image.entry + layout.load_bias},
        // Without an interpreter it is where the program itself lies: ld-elf.so.1, called by name,
        // relocates itself by it.
        {AT_BASE, layout.interpreter_base ? layout.interpreter_base : layout.load_bias},
        {kAtEhdrFlags, 0},
        {kAtExecPath, layout.path},
        {kAtReleaseDate, freebsd_abi::kReleaseDate},
        {kAtCanary, layout.random_bytes},
        {kAtCanaryLength, kCanaryLength},
        {kAtCpus, cpu_count},
        {kAtPageSizes, freebsd_abi::kSharedPageSizes},
        {kAtPageSizesLength, freebsd_abi::kPageSizesLength},
        {kAtStackProtection, kProtRead | kProtWrite},
        {kAtBsdFlags, 0},
        {kAtArgumentCount, layout.argument_count},
        {kAtEnvironmentCount, layout.environment_count},
        {kAtStrings, kProgramStrings},
        {kAtUserStackBase, kStackTop},
        {kAtUserStackLimit, layout.stack_size},
        {AT_NULL, 0},
    };
    std::size_t n = 0;
    for (const auto& v : values)
        if (n < capacity) {
            pairs[n][0] = v[0];
            pairs[n++][1] = v[1];
        }
    return n;
}

Result<> prepare_map(VmMap& map, const ElfImage& image) {
    SKEP_TRY(freebsd_abi::map_shared_page(map));
    return freebsd_abi::apply_memory_policy(map, image);
}

}  // namespace

const Personality freebsd_personality = {
    .name = "FreeBSD",
    .recognizes = recognizes,
    .find_syscall = freebsd_abi::find_syscall,
    .syscall_number = syscall_number,
    .set_result = set_result,
    .restart_syscall = restart_syscall,
    .prepare_map = prepare_map,
    .start_program = start_program,
    .auxiliary_vector = auxiliary_vector,
    .push_signal_frame = freebsd_abi::push_signal_frame,
    .release_robust_locks = freebsd_abi::release_robust_mutexes,
};

}  // namespace skep::kernel
