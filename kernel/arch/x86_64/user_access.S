// The only code that touches user memory. A fault in it that cannot be resolved continues at the
// fix-up that the exception table names (trap.cpp), instead of being the kernel's end.

    .macro FIXUP at, fixup
    .pushsection .exception_table, "a"
    .quad \at, \fixup
    .popsection
    .endm
    .macro USER_ACCESS_ON
    cmpb $0, smap_enabled(%rip)
    je 99f
    stac
99:
    .endm
    .macro USER_ACCESS_OFF
    cmpb $0, smap_enabled(%rip)
    je 98f
    clac
98:
    .endm

    .text
    // size_t user_copy(void* to, const void* from, size_t size) -> bytes NOT copied
    .globl user_copy
    .align 16
user_copy:
    pushq %rbp
    movq %rsp, %rbp
    USER_ACCESS_ON
    movq %rdx, %rcx
    shrq $3, %rcx
    andl $7, %edx
1:  rep movsq
    movl %edx, %ecx
2:  rep movsb
3:  USER_ACCESS_OFF
    movq %rcx, %rax
    popq %rbp
    ret
4:  leaq (%rdx,%rcx,8), %rcx
    jmp 3b
    FIXUP 1b, 4b
    FIXUP 2b, 3b

    // size_t user_clear(void* to, size_t size) -> bytes NOT cleared
    .globl user_clear
    .align 16
user_clear:
    pushq %rbp
    movq %rsp, %rbp
    USER_ACCESS_ON
    movq %rsi, %rcx
    shrq $3, %rcx
    andl $7, %esi
    xorl %eax, %eax
1:  rep stosq
    movl %esi, %ecx
2:  rep stosb
3:  USER_ACCESS_OFF
    movq %rcx, %rax
    popq %rbp
    ret
4:  leaq (%rsi,%rcx,8), %rcx
    jmp 3b
    FIXUP 1b, 4b
    FIXUP 2b, 3b

    // bool user_load32(uint32_t* value, const uint32_t* from): one atomic load
    .globl user_load32
    .align 16
user_load32:
    pushq %rbp
    movq %rsp, %rbp
    USER_ACCESS_ON
    xorl %eax, %eax
1:  movl (%rsi), %ecx
    movl %ecx, (%rdi)
    movl $1, %eax
2:  USER_ACCESS_OFF
    popq %rbp
    ret
    FIXUP 1b, 2b

    // bool user_exchange_if32(uint32_t* at (user), uint32_t* expected (kernel), uint32_t desired):
    // LOCK CMPXCHG; *expected gets the value found. -> false: fault
    .globl user_exchange_if32
    .align 16
user_exchange_if32:
    pushq %rbp
    movq %rsp, %rbp
    USER_ACCESS_ON
    movl (%rsi), %eax
    xorl %ecx, %ecx
1:  lock cmpxchgl %edx, (%rdi)
    movl %eax, (%rsi)
    movl $1, %ecx
2:  USER_ACCESS_OFF
    movl %ecx, %eax
    popq %rbp
    ret
    FIXUP 1b, 2b

    .data
    .globl smap_enabled
smap_enabled:
    .byte 0
