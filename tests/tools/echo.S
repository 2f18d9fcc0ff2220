// A Multiboot2 kernel (Multiboot2 specification, 3.1) for tests of the rigs: greets on COM1, echoes, powers off at 'q'.
// 'h' halts it for good.
#define COM1 0x3f8
#define LINE_STATUS 0x3fd
#define RECEIVED 0x01
#define SENT_ALL 0x40

        .section .header, "a"
        .balign 8
header:
        .long 0xe85250d6, 0, header_end - header, -(0xe85250d6 + header_end - header)
        .short 0, 0
        .long 8
header_end:

        .text
        .code32
        .globl _start
_start:
        movl $stack, %esp
        movl $greeting, %esi
        call print
echo:   movw $LINE_STATUS, %dx
        inb %dx, %al
        testb $RECEIVED, %al
        jz echo
        movw $COM1, %dx
        inb %dx, %al
        movb %al, character
        movl $character, %esi
        call print
        cmpb $'q', character
        je power_off
        cmpb $'h', character
        jne echo
halt:   hlt
        jmp halt

// Prints the string at ESI and waits until the last bit of each character has left.
print:  movw $LINE_STATUS, %dx
        inb %dx, %al
        testb $SENT_ALL, %al
        jz print
        lodsb
        testb %al, %al
        jz 1f
        movw $COM1, %dx
        outb %al, %dx
        jmp print
1:      ret

// The ports that the emulators have for this: QEMU's PM1a_CNT as SeaBIOS sets it up, Bochs's "Shutdown".
power_off:
        movw $0x604, %dx
        movw $0x2000, %ax
        outw %ax, %dx
        movw $0x8900, %dx
        movl $shutdown, %esi
        movl $8, %ecx
        rep outsb
        jmp halt

        .data
greeting:  .asciz "echo: up\r\n"
shutdown:  .ascii "Shutdown"
character: .byte 0, 0
        .bss
        .balign 16
        .space 4096
stack:
