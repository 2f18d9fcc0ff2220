// What the guests of the self-tests execute: position-independent snippets, name .. name_end, loaded at
// Guest::kCode (0x10000). Results go to Guest::kResults (0x40000).
.set RESULTS, 0x40000

.macro begin name
.globl \name, \name\()_end
\name:
.endm
.macro finish name
\name\()_end:
.endm

.section .rodata
.balign 16

// --- real mode -------------------------------------------------------------------------------
.code16
begin real_io
    mov $0x3f8, %dx
    mov $0x41, %al
    outb %al, %dx
    inb %dx, %al
    mov %al, %bl
    outw %ax, $0x80
    inl %dx, %eax
    hlt
finish real_io

begin real_string_io
    mov $0x1f0, %dx
    xor %di, %di
    mov $4, %cx
    cld
    rep insw
    hlt
finish real_string_io

begin real_string_out                   // every width, out and in, with and without REP
    mov $0x3f6, %dx
    mov $3, %cx
    mov $0x20, %si
    mov $0x30, %di
    std
    outsb
    outsw
    outsl
    rep outsb
    insb
    insw
    insl
    rep insl
    .byte 0x26                          // ES:
    outsb
    hlt
finish real_string_out

begin real_triple_fault
    lidt %cs:(1f - real_triple_fault)
    int3
1:  .short 0
    .long 0
finish real_triple_fault

// --- long mode -------------------------------------------------------------------------------
.code64
begin long_cpuid
    mov $RESULTS, %edi
    xor %eax, %eax
    xor %ecx, %ecx
    cpuid
    mov %eax, (%rdi)
    mov %ebx, 4(%rdi)
    mov %ecx, 8(%rdi)
    mov %edx, 12(%rdi)
    mov $1, %eax
    cpuid
    mov %ebx, 16(%rdi)
    mov %ecx, 20(%rdi)
    mov $0x12345, %eax                  // not in the table
    cpuid
    mov %eax, 24(%rdi)
    mov %ebx, 28(%rdi)
    mov $0xd, %eax
    xor %ecx, %ecx
    .byte 0x66                          // a prefix that means nothing here
    cpuid
    mov %ebx, 32(%rdi)
    hlt
finish long_cpuid

begin long_cpuid_loop                   // RBX times CPUID; the ticks of all of them to RESULTS
    mov %rbx, %r8
    rdtsc
    shl $32, %rdx
    lea (%rdx, %rax), %r9
1:  xor %eax, %eax
    cpuid
    dec %r8
    jnz 1b
    rdtsc
    shl $32, %rdx
    add %rdx, %rax
    sub %r9, %rax
    mov %rax, RESULTS
    hlt
finish long_cpuid_loop

begin long_out_loop
1:  outb %al, $0x80
    jmp 1b
finish long_out_loop

begin long_mmio
    mov $0xd0000000, %esi
    mov 0x10(%rsi), %al
    movb $0x5a, 0x21(%rsi)
    mov 0x30(%rsi), %eax
    mov %rax, 0x48(%rsi)
    hlt
finish long_mmio

begin long_mmio_widths                  // reads, then writes, of 1, 2, 4 and 8 bytes; and what does both
    mov $0xd0000000, %esi
    mov (%rsi), %al
    mov 2(%rsi), %ax
    mov 4(%rsi), %eax
    mov 8(%rsi), %rax
    movzbl 0x10(%rsi), %eax
    movsxd 0x14(%rsi), %rax
    mov %al, 0x21(%rsi)
    mov %ax, 0x22(%rsi)
    mov %eax, 0x24(%rsi)
    mov %rax, 0x28(%rsi)
    movl $7, 0x30(%rsi)
    xchg %eax, 0x34(%rsi)
    lock addl $1, 0x38(%rsi)
    movsb
    hlt
finish long_mmio_widths

begin long_cr_faults                    // each takes #GP, whose handler goes to R12
    mov $1f - long_cr_faults + 0x10000, %r12d
    mov $1, %eax                        // CR4 bit 63
    ror $1, %rax
    mov %rax, %cr4
1:  mov $2f - long_cr_faults + 0x10000, %r12d
    mov $1, %eax
    shl $33, %rax
    mov %rax, %cr0                      // beyond 32 bits
2:  mov $3f - long_cr_faults + 0x10000, %r12d
    mov %cr0, %rax
    and $~1, %eax
    mov %rax, %cr0                      // paging without protection
3:  mov $4f - long_cr_faults + 0x10000, %r12d
    mov %cr0, %rax
    or $0x20000000, %rax
    mov %rax, %cr0                      // NW without CD
4:  hlt
finish long_cr_faults

begin long_exits                        // likewise
    mov $5f - long_exits + 0x10000, %r12d
    xor %ecx, %ecx
    rdpmc
5:  mov $6f - long_exits + 0x10000, %r12d
    mov $0xc0000080, %ecx
    mov $0x80000500, %eax               // EFER: a reserved bit
    xor %edx, %edx
    wrmsr
6:  mov $7f - long_exits + 0x10000, %r12d
    mov $16, %eax
    mov %rax, %cr8
7:  mov $8f - long_exits + 0x10000, %r12d
    mov $1, %ecx
    xor %eax, %eax
    xor %edx, %edx
    xsetbv
8:  mov $9f - long_exits + 0x10000, %r12d
    mov $0x802, %ecx                    // an x2APIC register in xAPIC mode
    rdmsr
9:  hlt
finish long_exits

begin handler_next                      // a fault with error code: counted, goes on at R12
    incq RESULTS + 64
    add $8, %rsp
    mov %r12, (%rsp)
    iretq
finish handler_next

begin long_benign                       // exits that change nothing
    invd
    wbinvd
    clts
    mov %cr0, %rax
    mov %rax, %cr0
    mov %cr4, %rax
    mov %rax, %cr4
    mov %cr3, %rax
    mov %rax, %cr3
    mov %cr8, %rax
    mov %rax, %cr8
    invlpg 0x1000
    smsw %eax
    lmsw %ax
    rdtsc
    mov $0xc0000103, %ecx               // TSC_AUX
    mov $0x77, %eax
    xor %edx, %edx
    wrmsr
    rdtscp
    mov %rcx, RESULTS
    mov $100000, %ecx
1:  pause
    loop 1b
    hlt
finish long_benign

begin long_msr
    mov $0x174, %ecx                    // SYSENTER_CS: the guest's own
    mov $0x1234, %eax
    xor %edx, %edx
    wrmsr
    rdmsr
    mov %rax, RESULTS
    mov $0x277, %ecx                    // PAT
    mov $0x00070406, %eax
    mov $0x01050604, %edx
    wrmsr
    rdmsr
    mov %eax, RESULTS + 8
    mov %edx, RESULTS + 12
    mov $0xc0000080, %ecx               // EFER: +SCE
    rdmsr
    or $1, %eax
    wrmsr
    rdmsr
    mov %eax, RESULTS + 16
    mov $0xdead, %ecx                   // the owner's
    rdmsr
    mov %eax, RESULTS + 24
    mov $77, %eax
    wrmsr
    mov $0x277, %ecx                    // #GP: memory type 2
    mov $2, %eax
    wrmsr
    ud2
finish long_msr

begin long_hlt
1:  hlt
    jmp 1b
finish long_hlt

begin long_sti_hlt
1:  sti
    hlt
    jmp 1b
finish long_sti_hlt

begin long_spin                         // counts at RESULTS until told to stop
1:  incq RESULTS
    cmpq $0, RESULTS + 8
    je 1b
    hlt
finish long_spin

begin long_spin_sti
    sti
1:  incq RESULTS
    cmpq $0, RESULTS + 8
    je 1b
    cli
    hlt
finish long_spin_sti

// Interrupt handlers, loaded at 0x18000: count at RESULTS + 64 and end the interrupt.
begin handler_xapic
    push %rax
    incq RESULTS + 64
    mov $0xfee00000, %eax
    movl $0, 0xb0(%rax)
    pop %rax
    iretq
finish handler_xapic

begin handler_x2apic
    push %rax
    push %rcx
    push %rdx
    incq RESULTS + 64
    mov $0x80b, %ecx
    xor %eax, %eax
    xor %edx, %edx
    wrmsr
    pop %rdx
    pop %rcx
    pop %rax
    iretq
finish handler_x2apic

begin handler_plain                     // for exceptions without error code, NMIs, ExtINT
    incq RESULTS + 64
    iretq
finish handler_plain

begin handler_error                     // with error code: kept at RESULTS + 72
    incq RESULTS + 64
    popq RESULTS + 72
    iretq
finish handler_error

begin handler_skip_3                    // #UD of a three-byte instruction
    incq RESULTS + 64
    addq $3, (%rsp)
    iretq
finish handler_skip_3

begin long_xapic_timer                  // one-shot, then periodic: 1 + 3 interrupts of vector 0x40
    mov $0xfee00000, %ebx
    movl $0x1ff, 0xf0(%rbx)
    movl $0xb, 0x3e0(%rbx)              // divide by 1
    movl $0x40, 0x320(%rbx)
    movl $200000, 0x380(%rbx)
1:  sti
    hlt
    cli
    cmpq $1, RESULTS + 64
    jb 1b
    mov 0x390(%rbx), %eax               // expired: 0
    mov %eax, RESULTS
    movl $0x20040, 0x320(%rbx)
    movl $100000, 0x380(%rbx)
2:  sti
    hlt
    cli
    cmpq $4, RESULTS + 64
    jb 2b
    movl $0, 0x380(%rbx)
    mov 0x20(%rbx), %eax                // ID
    mov %eax, RESULTS + 4
    hlt
finish long_xapic_timer

begin long_tsc_deadline                 // x2APIC, vector 0x41, five deadlines
    mov $0x1b, %ecx
    rdmsr
    or $0xc00, %eax
    wrmsr
    mov $0x80f, %ecx                    // SVR
    mov $0x1ff, %eax
    xor %edx, %edx
    wrmsr
    mov $0x832, %ecx                    // LVT timer
    mov $0x40041, %eax
    wrmsr
1:  rdtsc
    add $100000, %eax
    adc $0, %edx
    mov $0x6e0, %ecx
    wrmsr
    sti
    hlt
    cli
    cmpq $5, RESULTS + 64
    jb 1b
    mov $0x802, %ecx
    rdmsr
    mov %eax, RESULTS
    cli
    hlt
finish long_tsc_deadline

begin long_enable_apic                  // SVR, then wait with interrupts on
    mov $0xfee00000, %ebx
    movl $0x1ff, 0xf0(%rbx)
1:  sti
    hlt
    jmp 1b
finish long_enable_apic

begin long_ipi_sender                   // INIT, SIPI 0x19 to APIC 1, then vector 0x50 to itself
    mov $0xfee00000, %ebx
    movl $0x1ff, 0xf0(%rbx)
    movl $0x01000000, 0x310(%rbx)
    movl $0x4500, 0x300(%rbx)
    movl $0x4619, 0x300(%rbx)
1:  pause
    cmpq $1, RESULTS                    // the other is ready
    jne 1b
    movl $0x44050, 0x300(%rbx)          // to itself
2:  pause
    cmpq $1, RESULTS + 64
    jne 2b
    cli
    hlt
finish long_ipi_sender

.code16
begin real_ipi_target                   // at 0x19000: real mode; says so and waits
    xor %ax, %ax
    mov %ax, %ds
    mov $0x4000, %ax
    mov %ax, %es
    movw $1, %es:0
    hlt
finish real_ipi_target
.code64

begin long_tpr                          // CR8 blocks vector 0x50, then lets it through
    mov $0xfee00000, %ebx
    movl $0x1ff, 0xf0(%rbx)
    mov $5, %eax
    mov %rax, %cr8
    sti
    outb %al, $0x80                     // the test sends the interrupt here
    nop
    mov RESULTS + 64, %rcx
    mov %rcx, RESULTS                   // 0: still blocked
    mov 0x80(%rbx), %ecx                // TPR
    mov %ecx, RESULTS + 8
    mov $4, %eax
    mov %rax, %cr8
    nop
    mov RESULTS + 64, %rcx
    mov %rcx, RESULTS + 16              // 1
    cli
    hlt
finish long_tpr

begin long_shadow                       // STI and MOV SS shadows hold a pending interrupt back
    mov $0xfee00000, %ebx
    movl $0x1ff, 0xf0(%rbx)
    outb %al, $0x80                     // the test sends the interrupt here
    sti
    mov RESULTS + 64, %rcx              // in the shadow: 0
    mov %rcx, RESULTS
    nop
    mov RESULTS + 64, %rcx
    mov %rcx, RESULTS + 8               // 1
    cli
    hlt
finish long_shadow

begin long_fill                         // writes RCX bytes of the numbers RBX.. at RDI; then HLT
1:  mov %rbx, (%rdi)
    add $4096, %rdi
    inc %rbx
    dec %rcx
    jnz 1b
    hlt
finish long_fill

begin long_state                        // counts in every register and YMM0, with an OUT each round
    mov $7, %eax
    xor %ecx, %ecx
    xor %edx, %edx
    xsetbv
    pcmpeqd %xmm1, %xmm1
    vxorps %ymm0, %ymm0, %ymm0
    xor %r8d, %r8d
1:  vpsubq %xmm1, %xmm0, %xmm2          // low half + 1
    vinsertf128 $1, %xmm2, %ymm2, %ymm0
    inc %r8
    lea 1(%r8), %r9
    lea 2(%r8), %r15
    mov %r8, %rax
    outb %al, $0x80
    vextractf128 $1, %ymm0, %xmm3
    movq %xmm3, %r10
    movq %xmm0, %r11
    jmp 1b
finish long_state

begin long_sled                         // one instruction per line: test_injection.cpp names the offsets
    nop
    nop
    sti
    nop                                 // in the shadow
    nop
    nop
    xor %eax, %eax
    mov %rax, %cr8
    nop
    nop
    cli
1:  hlt
    jmp 1b
finish long_sled

begin long_forbidden                    // each takes #UD, and the handler steps over three bytes
    .byte 0x0f, 0x01, 0xd9              // VMMCALL
    .byte 0x0f, 0x01, 0xc1              // VMCALL
    .byte 0x0f, 0x01, 0xd8              // VMRUN
    .byte 0x0f, 0x01, 0xdc              // STGI
    .byte 0x0f, 0x01, 0xc8              // MONITOR
    .byte 0x0f, 0x01, 0xc9              // MWAIT
    .byte 0x0f, 0x01, 0xda              // VMLOAD
    .byte 0x0f, 0x01, 0xdb              // VMSAVE
    .byte 0x0f, 0x01, 0xdd              // CLGI
    .byte 0x0f, 0x01, 0xde              // SKINIT
    .byte 0x0f, 0x01, 0xdf              // INVLPGA
    .byte 0x0f, 0x01, 0xc2              // VMLAUNCH
    .byte 0x0f, 0x01, 0xc3              // VMRESUME
    .byte 0x0f, 0x01, 0xc4              // VMXOFF
    .byte 0x0f, 0x01, 0xd4              // VMFUNC
    .byte 0x0f, 0xc7, 0x37              // VMPTRLD (%rdi)
    hlt
finish long_forbidden

begin long_xsetbv
    xor %ecx, %ecx
    xgetbv
    mov %eax, RESULTS
    mov $3, %eax
    xor %edx, %edx
    xsetbv
    xgetbv
    mov %eax, RESULTS + 4
    mov $4, %eax                        // AVX without SSE, without x87: #GP
    xsetbv
    hlt
finish long_xsetbv

begin long_cr
    mov %cr0, %rax
    or $0x10000, %rax                   // WP
    mov %rax, %cr0
    mov %cr0, %rax
    mov %rax, RESULTS
    mov %cr4, %rax
    or $0x80, %rax                      // PGE
    mov %rax, %cr4
    mov %cr4, %rax
    mov %rax, RESULTS + 8
    mov %cr3, %rax
    mov %rax, %cr3
    wbinvd
    invd
    clts
    mov $0x1234, %eax
    mov %rax, %cr2
    mov %cr2, %rax
    mov %rax, RESULTS + 16
    mov %rax, %dr0
    mov %dr0, %rax
    mov %rax, RESULTS + 24
    hlt
finish long_cr

.section .note.GNU-stack, "", @progbits
