// The guest of skep-bench-exits, in real mode: CPUID a thousand times, then a port write a thousand times.
#include "tests/bench/exits_guest.h"

        .section .rodata
        .globl bench_guest_start, bench_guest_end
bench_guest_start:
        .code16
        movw $BENCH_ROUNDS, %si
1:      xorl %eax, %eax
        cpuid
        decw %si
        jnz 1b
        outb %al, $BENCH_PORT_CPUID_DONE
        movw $BENCH_ROUNDS, %si
2:      outb %al, $BENCH_PORT
        decw %si
        jnz 2b
        outb %al, $BENCH_PORT_DONE
        hlt
bench_guest_end:
        .code64

        .section .note.GNU-stack, "", @progbits
