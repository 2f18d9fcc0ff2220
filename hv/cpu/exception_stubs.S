// Entry of the 32 exception vectors: one frame layout for all, then handle_exception(frame).

.macro stub vector
exception_stub_\vector:
    // Vectors 8, 10-14, 17, 21, 29, 30 come with an error code.
    .if !((0x60227d00 >> \vector) & 1)
    push $0
    .endif
    push $\vector
    jmp exception_common
.endm

.text
.altmacro
.set vector_number, 0
.rept 32
    stub %vector_number
    .set vector_number, vector_number + 1
.endr

exception_common:
    push %rax
    push %rbx
    push %rcx
    push %rdx
    push %rsi
    push %rdi
    push %rbp
    push %r8
    push %r9
    push %r10
    push %r11
    push %r12
    push %r13
    push %r14
    push %r15
    cld
    mov %rsp, %rdi
    mov %rsp, %rbp
    and $-16, %rsp
    call handle_exception
    mov %rbp, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rbp
    pop %rdi
    pop %rsi
    pop %rdx
    pop %rcx
    pop %rbx
    pop %rax
    add $16, %rsp
    iretq

.section .rodata
.macro stub_address vector
    .quad exception_stub_\vector
.endm
.balign 8
.globl exception_stubs
exception_stubs:
.set vector_number, 0
.rept 32
    stub_address %vector_number
    .set vector_number, vector_number + 1
.endr

.section .note.GNU-stack, "", @progbits
