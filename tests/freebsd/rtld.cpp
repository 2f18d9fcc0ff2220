// The interpreter: what /libexec/ld-elf.so.1 is to the kernel. It relocates itself, gives the
// thread its TLS, looks at the system as rtld, the C library's start-up and the base system's tools
// do, and starts the program.
#include "system.hpp"

#include <elf.h>

extern "C" {
extern Elf64_Dyn _DYNAMIC[] __attribute__((visibility("hidden")));
extern const Elf64_Ehdr __ehdr_start __attribute__((visibility("hidden")));
}

namespace bsd {

namespace {

void relocate() {
    const auto base = word(&__ehdr_start);
    const Elf64_Rela* table = nullptr;
    std::uint64_t size = 0;
    for (const Elf64_Dyn* d = _DYNAMIC; d->d_tag != DT_NULL; d++) {
        if (d->d_tag == DT_RELA)
            table = reinterpret_cast<const Elf64_Rela*>(base + d->d_un.d_ptr);
        if (d->d_tag == DT_RELASZ)
            size = d->d_un.d_val;
    }
    for (std::uint64_t i = 0; i < size / sizeof *table; i++)
        if (ELF64_R_TYPE(table[i].r_info) == R_X86_64_RELATIVE)
            *reinterpret_cast<std::uint64_t*>(base + table[i].r_offset) =
                base + static_cast<std::uint64_t>(table[i].r_addend);
}

// Variant II: the thread's control block begins with a pointer to itself; the ABI of compiled code
// needs no more.
std::uint64_t control_block[4];

void set_tls() {
    control_block[0] = word(control_block);
    control_block[1] = 0x5ca1ab1e;
    const std::uint64_t base = word(control_block);
    if (sys(165, 129, &base) != 0)  // sysarch(AMD64_SET_FSBASE)
        exit_with(3);
}

void cleanup() {}

}  // namespace

// -> where the program starts.
extern "C" std::uint64_t rtld_main(std::uint64_t* stack, void (**at_exit)()) {
    relocate();
    start.words = stack;
    set_tls();
    // Called by name (ld-elf.so.1(1), direct execution) it finds itself by AT_BASE, and sees that
    // by AT_PHDR.
    if (equal(start.argument(0), "by name"))
        exit_with(start.find(7) == word(&__ehdr_start) &&
                          start.find(3) == word(&__ehdr_start) + __ehdr_start.e_phoff
                      ? 11
                      : 12);
    if (equal(start.argument(0), "w^x"))
        exit_with(lives_with_wxorx() ? 21 : 22);
    *at_exit = cleanup;
    auxiliary_cases();
    sysctl_cases();
    memory_cases();
    file_cases();
    signal_cases();
    thread_cases();
    event_cases();
    process_cases();
    terminal_cases();
    casper_cases();
    sysv_cases();
    if (failures())
        exit_with(1);
    return start.find(9);  // AT_ENTRY
}

}  // namespace bsd

// RDI is where argc lies; the program gets it there again, and the function to call at its end in
// RSI.
asm(R"(
    .globl _start
_start:
    mov %rdi, %rbx
    and $-16, %rsp
    sub $16, %rsp
    mov %rsp, %rsi
    call rtld_main
    mov (%rsp), %rsi
    mov %rbx, %rdi
    lea -8(%rbx), %rsp
    jmp *%rax
)");
