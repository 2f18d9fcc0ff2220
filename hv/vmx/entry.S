// One VM entry and the exit that follows. RDI: GeneralRegisters, in the order of the ModRM encoding;
// ESI: whether the VMCS has been launched. EAX on return: 1, an exit was taken and the registers are
// the guest's; 0, VMfail, nothing ran. RSP, RIP and RFLAGS travel in the VMCS. Keeps RBP and R15
// alone: its caller (enter_guest in vcpu.cpp) has the other registers saved by the compiler.
#define HOST_RSP 0x6c14

.text
.globl vmx_enter
vmx_enter:
    push %rbp
    push %r15
    push %rdi
    mov $HOST_RSP, %eax
    vmwrite %rsp, %rax
    test %esi, %esi             // the loads below leave the flags alone
    mov 0x00(%rdi), %rax
    mov 0x08(%rdi), %rcx
    mov 0x10(%rdi), %rdx
    mov 0x18(%rdi), %rbx
    mov 0x28(%rdi), %rbp
    mov 0x30(%rdi), %rsi
    mov 0x40(%rdi), %r8
    mov 0x48(%rdi), %r9
    mov 0x50(%rdi), %r10
    mov 0x58(%rdi), %r11
    mov 0x60(%rdi), %r12
    mov 0x68(%rdi), %r13
    mov 0x70(%rdi), %r14
    mov 0x78(%rdi), %r15
    mov 0x38(%rdi), %rdi
    jz 1f
    vmresume
    jmp 2f
1:  vmlaunch
2:  xor %eax, %eax              // VMfail: both instructions fall through
    jmp 3f

.globl vmx_exit
vmx_exit:                       // HOST_RIP
    push %rdi
    mov 8(%rsp), %rdi
    mov %rax, 0x00(%rdi)
    mov %rcx, 0x08(%rdi)
    mov %rdx, 0x10(%rdi)
    mov %rbx, 0x18(%rdi)
    mov %rbp, 0x28(%rdi)
    mov %rsi, 0x30(%rdi)
    mov %r8, 0x40(%rdi)
    mov %r9, 0x48(%rdi)
    mov %r10, 0x50(%rdi)
    mov %r11, 0x58(%rdi)
    mov %r12, 0x60(%rdi)
    mov %r13, 0x68(%rdi)
    mov %r14, 0x70(%rdi)
    mov %r15, 0x78(%rdi)
    pop %rax
    mov %rax, 0x38(%rdi)
    mov $1, %eax

3:  pop %rdi
    pop %r15
    pop %rbp
    ret

.section .note.GNU-stack, "", @progbits
