// What the guests of skep-vmm-test run, in real mode: each piece from CODE(name) to END(name), placed at 0x1000 of
// the guest with CS = 0. DS is what the test made it: the device window of `mmio`, the local APIC of `timer`.

        .section .rodata
        .code16

#define CODE(name) .globl guest_##name, guest_##name##_end; guest_##name:
#define END(name) guest_##name##_end:

CODE(io)
        movb $0x5a, %al
        outb %al, $0x10
        inb $0x11, %al
        outb %al, $0x12
        hlt
END(io)

CODE(mmio)
        movl $0x12345678, 0x20
        movl 0x24, %ebx
        outb %al, $0x10
END(mmio)

// The local APIC's timer, one shot, vector 0x40; HLT until it comes.
CODE(timer)
        movl $0x1ff, 0xf0
        movl $0xb, 0x3e0
        movl $0x40, 0x320
1:      cli
        movl $1000000, 0x380
        sti
        hlt
        jmp 1b
END(timer)

// HLT until an interrupt comes whose handler writes a port.
CODE(halt)
        movl $0x1ff, 0xf0
        sti
1:      hlt
        jmp 1b
END(halt)

CODE(spin)
        movl $0x1ff, 0xf0
        sti
1:      jmp 1b
END(spin)

// The handler that the tests put behind a vector: tells of it by port 0x40, ends the interrupt.
CODE(handler)
        outb %al, $0x40
        movl $0, 0xb0
        iretw
END(handler)

// Wakes vCPU 1 by INIT and start-up at 0x2000, then waits for it to have written to 0x3000.
CODE(start_sibling)
        movl $0x1ff, 0xf0
        movl $0x01000000, 0x310
        movl $0x00004500, 0x300
        movl $0x01000000, 0x310
        movl $0x00004602, 0x300
1:      pause
        cmpb $0x77, %cs:0x3000
        jne 1b
        outb %al, $0x41
END(start_sibling)

CODE(sibling)
        movb $0x77, %cs:0x1000
1:      hlt
        jmp 1b
END(sibling)

// Writes the pages 0x10000 and 0x12000.
CODE(dirty)
        movw $0x1000, %ax
        movw %ax, %es
        movb $1, %es:0x0
        movb $1, %es:0x2000
        outb %al, $0x10
END(dirty)

// No interrupt table to go to: a triple fault.
CODE(crash)
        lidt %cs:0x1000 + 2f - guest_crash
1:      int3
2:      .word 0, 0, 0
END(crash)

        .code64
        .section .note.GNU-stack, "", @progbits
