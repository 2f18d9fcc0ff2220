// From the Multiboot2 loader's 32-bit state to long mode at hv_main.
//
// The first tables map the low 4 GiB with 2 MiB pages at 0 and at kDirectMap, and the first GiB at
// kImageOffset. hv_main replaces them; started CPUs pass through them as well (boot/ap_start.S).
#define PHYS(symbol) ((symbol) - 0xffffffff80000000)

.section .multiboot, "ax"
.balign 8
multiboot_header:                       // Multiboot2 specification, 3.1.1
    .long 0xe85250d6, 0                 // magic, i386
    .long multiboot_header_end - multiboot_header
    .long -(0xe85250d6 + (multiboot_header_end - multiboot_header))
    .short 6, 0                         // modules aligned to pages
    .long 8
    .short 5, 1                         // framebuffer, optional: any size, 32 bits per pixel
    .long 20
    .long 0, 0, 32
    .balign 8
    .short 0, 0
    .long 8
multiboot_header_end:

.code32
.globl multiboot_entry
multiboot_entry:
    cli
    cld
    mov %eax, %ebp
    mov %ebx, %esi

    // Four tables of 512 pages of 2 MiB.
    mov $PHYS(boot_pd), %edi
    mov $0x83, %eax                     // present, writable, large
1:  mov %eax, (%edi)
    movl $0, 4(%edi)
    add $8, %edi
    add $0x200000, %eax
    jnc 1b

    mov $PHYS(boot_pdpt), %edi
    mov $(PHYS(boot_pd) + 3), %eax
    mov $4, %ecx
2:  mov %eax, (%edi)
    add $8, %edi
    add $4096, %eax
    loop 2b
    movl $(PHYS(boot_pd) + 3), PHYS(boot_image_pdpt) + 510 * 8
    movl $(PHYS(boot_pdpt) + 3), PHYS(boot_pml4)
    movl $(PHYS(boot_pdpt) + 3), PHYS(boot_pml4) + 256 * 8
    movl $(PHYS(boot_image_pdpt) + 3), PHYS(boot_pml4) + 511 * 8

    mov $PHYS(boot_stack_top), %esp
    call enter_long_mode
    // Compatibility mode; the far jump makes it 64-bit.
    ljmp $0x08, $PHYS(long_mode)

// Uses EAX, ECX, EDX. Also called by CPUs that start later.
.globl enter_long_mode
enter_long_mode:
    mov %cr4, %eax
    or $(1 << 5 | 1 << 7), %eax         // PAE, PGE
    mov %eax, %cr4
    mov $PHYS(boot_pml4), %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx               // EFER: LME, NXE
    rdmsr
    or $(1 << 8 | 1 << 11), %eax
    wrmsr
    mov %cr0, %eax
    or $0x80010001, %eax                // PG, WP, PE
    and $0x9fffffff, %eax               // not CD, NW (set by INIT)
    mov %eax, %cr0
    lgdt PHYS(boot_gdt_pointer)
    ret

.code64
long_mode:
    mov $long_mode_high, %rax
    jmp *%rax
long_mode_high:
    xor %eax, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov %eax, %fs
    mov %eax, %gs
    lgdt boot_gdt_pointer_high
    mov $cpu_stacks + 16384 - 16, %rsp
    mov %ebp, %edi
    mov %esi, %esi
    xor %ebp, %ebp
    call hv_main
1:  cli
    hlt
    jmp 1b

.section .rodata
.balign 8
.globl boot_gdt
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff            // 0x08: 64-bit code
    .quad 0x00cf93000000ffff            // 0x10: data
    .quad 0x00cf9b000000ffff            // 0x18: 32-bit code, for CPUs that start
boot_gdt_pointer:
    .short 31
    .long PHYS(boot_gdt)
.balign 8
.globl boot_gdt_pointer_high
boot_gdt_pointer_high:
    .short 31
    .quad boot_gdt

.bss
.balign 4096
.globl boot_pml4
boot_pml4: .skip 4096
boot_pdpt: .skip 4096
boot_image_pdpt: .skip 4096
boot_pd: .skip 4 * 4096
.skip 4096
.globl boot_stack_top
boot_stack_top:

.section .note.GNU-stack, "", @progbits
