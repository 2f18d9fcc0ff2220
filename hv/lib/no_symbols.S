// In place of the table of names: in hv's first link, from which it is made, and in the self-test.
.section .rodata.symbols, "a"
.globl symbol_count, symbol_addresses, symbol_places, symbol_names
.balign 4
symbol_count:
symbol_addresses:
symbol_places:
symbol_names:
    .long 0

.section .note.GNU-stack, "", @progbits
