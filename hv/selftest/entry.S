// The root domain's entry (Multiboot2 machine state) to long mode, identity-mapped; and a second one for
// CPUs started by the hypercall CpuStart, which pass the address of their stack's end in EBX.
.section .start, "ax"
.code32
.globl start
start:
    mov $stack_end, %esp
    mov %ebx, boot_information
    mov $page_directory, %edi
    mov $0x87, %eax                     // present, writable, user, 2 MiB
1:  mov %eax, (%edi)
    movl $0, 4(%edi)
    add $8, %edi
    add $0x200000, %eax
    jnc 1b
    mov $page_pointers, %edi
    mov $page_directory + 7, %eax
    mov $4, %ecx
2:  mov %eax, (%edi)
    add $8, %edi
    add $4096, %eax
    loop 2b
    movl $page_pointers + 7, page_root
    call long_mode
    ljmp $8, $start_64

.globl start_cpu
start_cpu:
    mov %ebx, %esp
    call long_mode
    ljmp $8, $start_cpu_64

long_mode:
    mov $0x406a0, %eax                  // OSXSAVE, OSXMMEXCPT, OSFXSR, PGE, PAE
    mov %eax, %cr4
    mov $page_root, %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx
    rdmsr
    or $0x900, %eax                     // LME, NXE
    wrmsr
    mov $0x80000033, %eax               // PG, NE, ET, MP, PE
    mov %eax, %cr0
    lgdt gdt_pointer
    ret

.code64
start_64:
    mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    call enable_vectors
    call selftest_main
1:  cli
    hlt
    jmp 1b

start_cpu_64:
    mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    call enable_vectors
    call selftest_cpu
1:  cli
    hlt
    jmp 1b

// All components of XCR0.
enable_vectors:
    mov $0xd, %eax
    xor %ecx, %ecx
    cpuid
    and $0x2e7, %eax
    xor %edx, %edx
    xor %ecx, %ecx
    xsetbv
    lidt idt_pointer
    ret

// One entry for every vector: selftest_exception(frame), which may change the frame's RIP.
.macro vector number
vector_\number:
    .if !((0x60227d00 >> \number) & 1)
    push $0
    .endif
    push $\number
    jmp vector_common
.endm
.altmacro
.set n, 0
.rept 32
    vector %n
    .set n, n + 1
.endr
// Vector 32: an interrupt that is only counted.
vector_32:
    push $0
    push $32
vector_common:
    push %rax
    push %rcx
    push %rdx
    push %rsi
    push %rdi
    push %r8
    push %r9
    push %r10
    push %r11
    cld
    lea 72(%rsp), %rdi
    call selftest_exception
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rdi
    pop %rsi
    pop %rdx
    pop %rcx
    pop %rax
    add $16, %rsp
    iretq

// abi::kNotificationVector: for a vCPU that has left its guest meanwhile.
.globl notification_vector
notification_vector:
    push %rax
    mov $0xfee000b0, %eax       // EOI
    movl $0, (%rax)
    pop %rax
    iretq

// u64 try_call(function, argument): 0, or 1 + the vector of the exception that ended it (boot CPU only).
// The handler of an exception goes to try_failed, with try_stack as RSP, at CPL 0.
.globl try_call, try_failed
try_call:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, try_stack
    mov %rdi, %rax
    mov %rsi, %rdi
    sub $8, %rsp
    call *%rax
    add $8, %rsp
    movq $0, try_result
try_failed:
    movq $0, try_stack
    mov try_result, %rax
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

// enter_user(function): with the segments of test_root.cpp; never comes back but by an exception.
.globl enter_user
enter_user:
    mov %rsp, %rax
    push $0x1b
    push %rax
    push $2
    push $0x23
    push %rdi
    iretq

// u64 read_guarded(address): the value, or the complement of it if reading faults (RIP moves on).
.globl read_guarded, read_guarded_fault
read_guarded:
    mov (%rdi), %rax
    ret
read_guarded_fault:
    mov $-1, %rax
    ret

.section .rodata
.balign 8
gdt:
    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
    .short 23
    .long gdt, 0
.macro vector_address number
    .quad vector_\number
.endm
.balign 8
.globl vector_addresses
vector_addresses:
.set n, 0
.rept 33
    vector_address %n
    .set n, n + 1
.endr

.data
idt_pointer:
    .short 256 * 16 - 1
    .quad idt

.bss
.globl boot_information, idt, try_stack, try_result
try_stack: .skip 8
try_result: .skip 8
boot_information: .skip 8
.balign 4096
page_root: .skip 4096
page_pointers: .skip 4096
page_directory: .skip 4 * 4096
idt: .skip 4096
.skip 65536
stack_end:

.section .note.GNU-stack, "", @progbits
