// From the Multiboot2 machine state (32-bit protected mode, paging off: Multiboot2 3.2) to C++ in
// long mode; and the same for the other CPUs, which arrive in that state from hv's CpuStart or from
// the real-mode trampoline below.

#define CR0_PE 0x00000001
#define CR0_MP 0x00000002
#define CR0_NE 0x00000020
#define CR0_WP 0x00010000
#define CR0_PG 0x80000000
#define CR4_PAE 0x20
#define CR4_PGE 0x80
#define MSR_EFER 0xc0000080
#define EFER_SCE 0x001
#define EFER_LME 0x100
#define EFER_NXE 0x800
#define BOOT_CODE32 0x08
#define BOOT_CODE64 0x10
#define BOOT_DATA 0x18
#define PTE_TABLE 0x003  // present, writable
#define PTE_LARGE 0x083  // present, writable, 2 MiB

    .section .boot.header, "a"
    .align 8
multiboot2_header:
    .long 0xe85250d6
    .long 0  // i386
    .long multiboot2_header_end - multiboot2_header
    .long -(0xe85250d6 + (multiboot2_header_end - multiboot2_header))
    .align 8
    .word 6, 0  // modules page aligned
    .long 8
    .align 8
    .word 5, 1  // framebuffer, optional: any size, 32 bits per pixel
    .long 20
    .long 0, 0, 32
    .align 8
    .word 0, 0  // end
    .long 8
multiboot2_header_end:

    .section .boot.text, "ax"
    .code32
    .globl start32
start32:
    cli
    cld
    movl %eax, %edi  // magic, first argument of kernel_main
    movl %ebx, %esi  // boot information, second
    xorl %ebp, %ebp  // this is the boot CPU
    jmp enter_long_mode

    // EBX = the CPU's number.
    .globl ap_start32
ap_start32:
    cli
    cld
    movl %ebx, %edi
    movl $1, %ebp

enter_long_mode:
    movl $(CR4_PAE | CR4_PGE), %eax
    movl %eax, %cr4
    movl $boot_pml4, %eax
    movl %eax, %cr3
    movl $MSR_EFER, %ecx
    rdmsr
    orl $(EFER_LME | EFER_NXE | EFER_SCE), %eax
    wrmsr
    movl %cr0, %eax
    andl $0x9ffffff3, %eax  // CD, NW, EM, TS off
    orl $(CR0_PG | CR0_WP | CR0_NE | CR0_MP | CR0_PE), %eax
    movl %eax, %cr0
    lgdt boot_gdt_pointer
    ljmp $BOOT_CODE64, $1f

    .code64
1:  movl $BOOT_DATA, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
    movabsq $start64, %rax
    jmp *%rax

    .section .text
start64:
    testl %ebp, %ebp
    jnz 2f
    movq $boot_stack_top, %rsp
    xorl %ebp, %ebp
    movl %edi, %edi
    movl %esi, %esi
    call kernel_main
1:  hlt
    jmp 1b
    // The stack is not in the boot tables.
2:  movq ap_boot_cr3, %rax
    movq %rax, %cr3
    movl %edi, %edi
    movq ap_boot_stacks(,%rdi,8), %rsp
    xorl %ebp, %ebp
    call ap_main
    jmp 1b

    // Copied to a page below 1 MiB; a STARTUP IPI enters it in real mode with CS:IP = page:0.
    // The C++ side patches the CPU's number into ap_trampoline_cpu.
    .section .rodata
    .code16
    .globl ap_trampoline, ap_trampoline_cpu, ap_trampoline_end
    .align 16
ap_trampoline:
    cli
    movw %cs, %ax
    movw %ax, %ds
    lgdtl ap_gdt_pointer - ap_trampoline
    movl %cr0, %eax
    orl $CR0_PE, %eax
    movl %eax, %cr0
    movl ap_trampoline_cpu - ap_trampoline, %ebx
    ljmpl $BOOT_CODE32, $ap_protected
    .align 4
ap_trampoline_cpu:
    .long 0
ap_gdt_pointer:
    .word boot_gdt_end - boot_gdt - 1
    .long boot_gdt
ap_trampoline_end:

    .section .boot.text, "ax"
    .code32
ap_protected:
    movl $BOOT_DATA, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    jmp ap_start32

    .section .boot.data, "aw"
    .align 8
boot_gdt:
    .quad 0
    .quad 0x00cf9b000000ffff  // code, 32 bit
    .quad 0x00af9b000000ffff  // code, 64 bit
    .quad 0x00cf93000000ffff  // data
boot_gdt_end:
boot_gdt_pointer:
    .word boot_gdt_end - boot_gdt - 1
    .long boot_gdt

    // The first 4 GiB three times: identity (to switch paging on), at the direct map's base, and (the
    // first 1 GiB) at the image's base. kernel/mm/kernel_map.cpp replaces them.
    .align 4096
    .globl boot_pml4, boot_pdpt
boot_pml4:
    .quad boot_pdpt + PTE_TABLE
    .fill 255, 8, 0
    .quad boot_pdpt + PTE_TABLE
    .fill 254, 8, 0
    .quad boot_image_pdpt + PTE_TABLE
boot_pdpt:
    .quad boot_pd + PTE_TABLE
    .quad boot_pd + 0x1000 + PTE_TABLE
    .quad boot_pd + 0x2000 + PTE_TABLE
    .quad boot_pd + 0x3000 + PTE_TABLE
    .fill 508, 8, 0
boot_image_pdpt:
    .fill 510, 8, 0
    .quad boot_pd + PTE_TABLE
    .quad 0
boot_pd:
    .set page, 0
    .rept 2048
    .quad page + PTE_LARGE
    .set page, page + 0x200000
    .endr

    .section .bss
    .align 4096
boot_stack:
    .skip 32768
    .globl boot_stack_top
boot_stack_top:
