#include <kernel/abi/linux/errno.hpp>
#include <kernel/abi/linux/owner_futex.hpp>
#include <kernel/abi/linux/signal_frame.hpp>
#include <kernel/abi/linux/tables.hpp>
#include <kernel/abi/personality.hpp>
#include <kernel/arch/x86_64/cpu.hpp>
#include <kernel/proc/exec.hpp>

#include <elf.h>

namespace skep::kernel {

namespace {

bool recognizes(const ElfImage& image) {
    return (image.os_abi == ELFOSABI_NONE || image.os_abi == ELFOSABI_GNU) && !image.freebsd_note;
}

std::uint64_t syscall_number(const TrapFrame& f, std::uint64_t (&a)[6]) {
    a[0] = f.rdi;
    a[1] = f.rsi;
    a[2] = f.rdx;
    a[3] = f.r10;
    a[4] = f.r8;
    a[5] = f.r9;
    return f.rax;
}

void set_result(TrapFrame& f, const Result<std::uint64_t>& result) {
    f.rax = result ? *result : -static_cast<std::uint64_t>(linux_abi::linux_errno(result.error()));
}

void restart_syscall(TrapFrame& f) {
    constexpr std::uint64_t kSyscallSize = 2;  // RAX still has the number
    f.rip -= kSyscallSize;
}

void start_program(TrapFrame& f, UserAddr stack) {
    f.rsp = stack;
}

std::size_t auxiliary_vector(const StackLayout& layout, std::uint64_t (*pairs)[2],
                             std::size_t capacity) {
    const ElfImage& image = *layout.image;
    const Credentials& c = current_process().credentials;
    constexpr std::uint64_t kClockTicks = 100;
    const std::uint64_t values[][2] = {
        {AT_HWCAP, cpuid(1).edx},
        {AT_PAGESZ, kPageSize},
        {AT_CLKTCK, kClockTicks},
        {AT_PHDR, image.headers_address ? image.headers_address + layout.load_bias : 0},
        {AT_PHENT, kElfHeaderSize},
        {AT_PHNUM, image.header_count},
        {AT_BASE, layout.interpreter_base},
        {AT_FLAGS, 0},
        {AT_ENTRY, image.entry + layout.load_bias},
        {AT_UID, c.real_user},
        {AT_EUID, c.effective_user},
        {AT_GID, c.real_group},
        {AT_EGID, c.effective_group},
        {AT_SECURE, 0},
        {AT_RANDOM, layout.random_bytes},
        {AT_HWCAP2, 0},
        {AT_PLATFORM, layout.platform},
        {AT_EXECFN, layout.path},
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

}  // namespace

const Personality linux_personality = {
    .name = "Linux",
    .recognizes = recognizes,
    .find_syscall = linux_abi::find_syscall,
    .syscall_number = syscall_number,
    .set_result = set_result,
    .restart_syscall = restart_syscall,
    .prepare_map = nullptr,
    .start_program = start_program,
    .auxiliary_vector = auxiliary_vector,
    .push_signal_frame = linux_abi::push_signal_frame,
    .release_robust_locks = linux_abi::release_robust_futexes,
};

}  // namespace skep::kernel
