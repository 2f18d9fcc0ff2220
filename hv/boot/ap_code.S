// Where a started CPU begins: real mode, CS at a borrowed page below 1 MiB. See boot/ap_start.cpp.
#define PHYS(symbol) ((symbol) - 0xffffffff80000000)

.section .rodata
.code16
.globl ap_code, ap_code_end
ap_code:
    cli
    cld
    mov %cs, %ax
    mov %ax, %ds
    lgdtl ap_gdt_pointer - ap_code
    mov %cr0, %eax
    or $1, %eax
    mov %eax, %cr0
    ljmpl $0x18, $PHYS(ap_protected)
ap_gdt_pointer:
    .short 31
    .long PHYS(boot_gdt)
ap_code_end:

.text
.code32
ap_protected:
    mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $PHYS(boot_stack_top), %esp
    call enter_long_mode
    ljmp $0x08, $PHYS(ap_long)
.code64
ap_long:
    mov $ap_long_high, %rax
    jmp *%rax
ap_long_high:
    lgdt boot_gdt_pointer_high
    mov ap_stack, %rsp
    xor %ebp, %ebp
    call ap_main
1:  cli
    hlt
    jmp 1b

.section .note.GNU-stack, "", @progbits
