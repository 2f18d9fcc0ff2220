// Entry from and return to interrupted code: exceptions, interrupts, SYSCALL. All build the same
// TrapFrame (trap.hpp) on the thread's kernel stack.

#include <kernel/arch/x86_64/offsets.h>

    .macro PUSH_REGISTERS
    pushq %rax
    pushq %rbx
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %rbp
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    .endm
    .macro POP_REGISTERS
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rbp
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rcx
    popq %rbx
    popq %rax
    .endm
    // What the kernel does not use must not reach it as attacker-chosen speculation or stale frames.
    .macro CLEAR_FRAME_POINTER
    xorl %ebp, %ebp
    .endm

    .text
    // The 256 stubs, each 16 bytes apart. The CPU pushes an error code for these vectors only:
    // 8, 10-14, 17, 21, 29, 30 (SDM vol. 3, table 6-1; APM vol. 2, 8.4).
    .align 16
    .globl trap_stubs
trap_stubs:
    .set vector, 0
    .rept 256
    .align 16
    .if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30
    .else
    pushq $0
    .endif
    pushq $vector
    .if vector == 2 || vector == 8 || vector == 18
    jmp trap_paranoid
    .else
    jmp trap_common
    .endif
    .set vector, vector + 1
    .endr

trap_common:
    PUSH_REGISTERS
    cld
    testb $3, FRAME_CS(%rsp)
    jz 1f
    swapgs
    CLEAR_FRAME_POINTER
    movq %rsp, %rdi
    call trap_dispatch
    jmp return_to_user
1:  movq %rsp, %rdi
    movq FRAME_RBP(%rsp), %rbp
    call trap_dispatch
    POP_REGISTERS
    addq $16, %rsp
    iretq

    // NMI, double fault and machine check arrive at any instruction, also between SYSCALL and SWAPGS, and a program
    // may give GS any base (WRGSBASE): whose it is cannot be told. Above its frame each IST stack holds the
    // CPU's data; the base that was there comes back at the end.
trap_paranoid:
    PUSH_REGISTERS
    cld
    movl $0xc0000101, %ecx  // IA32_GS_BASE
    rdmsr
    movl %eax, %ebx
    shlq $32, %rdx
    orq %rdx, %rbx
    movq FRAME_SIZE(%rsp), %rax
    movq %rax, %rdx
    shrq $32, %rdx
    wrmsr
    movq %rsp, %rdi
    call trap_dispatch_paranoid
    movq %rbx, %rax
    movq %rbx, %rdx
    shrq $32, %rdx
    movl $0xc0000101, %ecx
    wrmsr
    POP_REGISTERS
    addq $16, %rsp
    iretq

    // RCX = user RIP, R11 = user RFLAGS; interrupts are masked by IA32_FMASK.
    .align 16
    .globl syscall_entry
syscall_entry:
    swapgs
    movq %rsp, %gs:CPU_USER_RSP
    movq %gs:CPU_KERNEL_STACK, %rsp
    pushq $USER_DATA_SELECTOR
    pushq %gs:CPU_USER_RSP
    pushq %r11
    pushq $USER_CODE_SELECTOR
    pushq %rcx
    pushq $0
    pushq $SYSCALL_VECTOR
    PUSH_REGISTERS
    cld
    CLEAR_FRAME_POINTER
    movq %rsp, %rdi
    call syscall_dispatch

    // Interrupts masked from here; trap_dispatch and syscall_dispatch have done all pending work.
    // A new thread starts here too, with RSP at its frame.
    .globl return_to_user
return_to_user:
    // SYSRET needs a user frame that SYSCALL made and nobody moved: RCX = RIP, R11 = RFLAGS. It would
    // fault in ring 0 on a non-canonical RIP: the vector is changed when a frame is rewritten
    // (TrapFrame::use_iret).
    cmpq $SYSCALL_VECTOR, FRAME_VECTOR(%rsp)
    jne 1f
    POP_REGISTERS
    movq 16(%rsp), %rcx
    movq 32(%rsp), %r11
    movq 40(%rsp), %rsp
    swapgs
    sysretq
1:  POP_REGISTERS
    addq $16, %rsp
    swapgs
    .globl user_iret
user_iret:
    iretq

    // void enter_user_mode(TrapFrame* frame): interrupts masked
    .globl enter_user_mode
enter_user_mode:
    movq %rdi, %rsp
    jmp return_to_user

    // void switch_context(uint64_t* save_rsp (RDI), uint64_t load_rsp (RSI))
    .align 16
    .globl switch_context
switch_context:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret

    // First code of a new thread: R12 = entry, R13 = argument (thread.cpp builds the stack).
    .globl thread_start
thread_start:
    xorl %ebp, %ebp
    call thread_started
    movq %r13, %rdi
    call *%r12
    ud2
