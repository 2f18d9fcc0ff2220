// Guests that change their mode: loaded at Guest::kCode (0x10000), with the GDT of test_modes.cpp at Guest::kGdt.
.set CODE, 0x10000
.set CODE_64, 0x08
.set DATA, 0x10
.set CODE_32, 0x18
.set CODE_16, 0x20
.set DATA_16, 0x28
.set TABLES_64, 0x20000
.set TABLES_32, 0x24000
.set TABLES_PAE, 0x25000
.set OTHER_PAE, 0x26000

.macro begin name
.globl \name, \name\()_end
\name:
.endm
.macro finish name
\name\()_end:
.endm
// An exit that hv finishes, with a prefix that only the instruction's bytes tell of, and one that it hands out
// with those bytes; the port says where we are.
.macro step number
    xor %eax, %eax
    .byte 0x2e
    cpuid
    mov $(0x80 + \number), %dx
    outsb
.endm
.macro set_cr0 bits
    mov %cr0, %eax
    or $\bits, %eax
    mov %eax, %cr0
.endm
.macro clear_cr0 bits
    mov %cr0, %eax
    and $~(\bits), %eax
    mov %eax, %cr0
.endm
.macro set_cr4 bits
    mov %cr4, %eax
    or $\bits, %eax
    mov %eax, %cr4
.endm
.macro load_cr3 table
    mov $\table, %eax
    mov %eax, %cr3
.endm
.macro load_segments selector
    mov $\selector, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov %eax, %fs
    mov %eax, %gs
.endm

.section .rodata
.balign 16
begin mode_walk
.code16
    step 0                              // real mode, caches off as after RESET
    lgdtl %cs:(walk_gdt - mode_walk)
    set_cr0 1
    ljmpl $CODE_32, $(CODE + walk_32 - mode_walk)
.code32
walk_32:
    load_segments DATA
    mov $0x9000, %esp
    step 1                              // protected mode
    set_cr4 0x10
    load_cr3 TABLES_32
    set_cr0 0x80000000
    step 2                              // 32-bit paging, 4 MiB pages
    clear_cr0 0x80000000
    set_cr4 0x20
    load_cr3 TABLES_PAE
    set_cr0 0x80000000
    step 3                              // PAE paging
    clear_cr0 0x60000000                // caches on: an exit on VT-x
    step 4
    load_cr3 OTHER_PAE
    step 5                              // other page directory pointers
    clear_cr0 0x80000000
    mov $0xc0000080, %ecx
    rdmsr
    or $0x100, %eax
    wrmsr
    load_cr3 TABLES_64
    set_cr0 0x80000000
    step 6                              // compatibility mode
    ljmp $CODE_64, $(CODE + walk_64 - mode_walk)
.code64
walk_64:
    step 7                              // 64-bit mode
    pushq $CODE_32
    pushq $(CODE + walk_compatible - mode_walk)
    lretq
.code32
walk_compatible:
    step 8                              // and back
    clear_cr0 0x80000000
    mov $0xc0000080, %ecx
    rdmsr
    and $~0x100, %eax
    wrmsr
    step 9                              // protected mode
    ljmp $CODE_16, $(walk_16 - mode_walk)
.code16
walk_16:
    load_segments DATA_16
    step 10                             // 16-bit protected mode
    clear_cr0 1
    ljmp $(CODE >> 4), $(walk_real - mode_walk)
walk_real:
    xor %ax, %ax
    mov %ax, %ds
    mov %ax, %ss
    step 11                             // real mode
    hlt
walk_gdt:
    .short 0x37
    .long 0x31000
finish mode_walk

// 32-bit protected mode, with the task of DESCRIPTORS below: a far jump to a task and back by IRET from one that was
// called; the port says what EAX of the task holds.
.set TASK_A, 0x30
.set TASK_B, 0x38
.set TASK_GATE, 0x40
begin task_walk
.code32
    mov $TASK_A, %eax
    ltr %ax
    mov $0x11, %ebx
    lcall $TASK_B, $0                   // nested: B returns by IRET
    mov %ebx, %eax
    outb %al, $0x81                     // 0x11: our registers are back
    int $0x30                           // through a task gate
    mov %ebx, %eax
    outb %al, $0x83
    str %ax
    outb %al, $0x84                     // TASK_A
    ljmp $TASK_B, $0                    // not nested: B comes back by another jump
    mov %ebx, %eax
    outb %al, $0x87
    hlt
.globl task_walk_b
task_walk_b:                            // EBX 0x22 from its TSS
    mov %ebx, %eax
    outb %al, $0x80
    inc %ebx
    iret
    mov %ebx, %eax                      // entered again where it left
    outb %al, $0x82
    iret
    inc %ebx
    mov %ebx, %eax
    outb %al, $0x86
    ljmp $TASK_A, $0
.globl task_walk_c
task_walk_c:                            // behind the task gate of an exception with an error code
    pop %eax
    outb %al, $0x85
    hlt
finish task_walk

.section .text
.code64
.globl function_end
function_end:
    cli
    hlt
    jmp function_end

.section .note.GNU-stack, "", @progbits
