// svm_enter(registers, vmcb): one stay in the guest or the root domain.
//
//   rdi  GeneralRegisters, in the order of hv/abi/vcpu.hpp
//   rsi  the VMCB
//   rdx  its physical address
//
// GIF is clear in hv at all times. VMRUN keeps RSP, RAX and RIP of the caller (APM vol. 2, 15.5.1);
// the guest's RSP and RAX are in the VMCB. FS, GS, TR, LDTR and the system-call MSRs stay the guest's:
// hv does not use them.

.set VMCB_RAX, 0x5f8
.set R_RCX, 8
.set R_RDX, 16
.set R_RBX, 24
.set R_RBP, 40
.set R_RSI, 48
.set R_RDI, 56
.set R_R8, 64

.text
.balign 16
.globl svm_enter
svm_enter:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    push %rsi
    push %rdi
    mov (%rdi), %rax
    mov %rax, VMCB_RAX(%rsi)
    mov %rdx, %rax
    mov R_RCX(%rdi), %rcx
    mov R_RDX(%rdi), %rdx
    mov R_RBX(%rdi), %rbx
    mov R_RBP(%rdi), %rbp
    mov R_RSI(%rdi), %rsi
    mov R_R8(%rdi), %r8
    mov R_R8 + 8(%rdi), %r9
    mov R_R8 + 16(%rdi), %r10
    mov R_R8 + 24(%rdi), %r11
    mov R_R8 + 32(%rdi), %r12
    mov R_R8 + 40(%rdi), %r13
    mov R_R8 + 48(%rdi), %r14
    mov R_R8 + 56(%rdi), %r15
    mov R_RDI(%rdi), %rdi
    vmrun %rax
    mov (%rsp), %rax
    mov %rcx, R_RCX(%rax)
    mov %rdx, R_RDX(%rax)
    mov %rbx, R_RBX(%rax)
    mov %rbp, R_RBP(%rax)
    mov %rsi, R_RSI(%rax)
    mov %rdi, R_RDI(%rax)
    mov %r8, R_R8(%rax)
    mov %r9, R_R8 + 8(%rax)
    mov %r10, R_R8 + 16(%rax)
    mov %r11, R_R8 + 24(%rax)
    mov %r12, R_R8 + 32(%rax)
    mov %r13, R_R8 + 40(%rax)
    mov %r14, R_R8 + 48(%rax)
    mov %r15, R_R8 + 56(%rax)
    pop %rdi
    pop %rsi
    mov VMCB_RAX(%rsi), %rax
    mov %rax, (%rdi)
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

.section .note.GNU-stack, "", @progbits
