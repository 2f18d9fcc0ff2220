"""Writes the names of a linked kernel's functions as an assembler file: symbols.py NM KERNEL OUT."""

import re
import subprocess
import sys

PREFIX = re.compile(r"skep::(?:kernel|hv)::|\(anonymous namespace\)::")
LONGEST = 80


def functions(nm: str, kernel: str) -> list[tuple[int, str]]:
    lines = subprocess.run([nm, "-C", "--defined-only", "--numeric-sort", kernel], capture_output=True, text=True, check=True).stdout
    found: dict[int, str] = {}
    for line in lines.splitlines():
        address, kind, name = line.split(" ", 2)
        if kind in "tTwW":
            found.setdefault(int(address, 16), PREFIX.sub("", name)[:LONGEST])
    return sorted(found.items())


def main(nm: str, kernel: str, out: str) -> None:
    all_of_them = functions(nm, kernel)
    high = [(address, name) for address, name in all_of_them if address >> 31 == 0x1ffffffff]  # start-up code is elsewhere
    lines = ['    .section .rodata.symbols, "a"', "    .globl symbol_count, symbol_addresses, symbol_places, symbol_names",
             "    .balign 4", "symbol_count:", f"    .long {len(high)}", "symbol_addresses:  # the lower halves, ascending"]
    lines += [f"    .long {address & 0xffffffff:#x}" for address, _ in high]
    lines.append("symbol_places:  # in symbol_names")
    place = 0
    for _, name in high:
        lines.append(f"    .long {place}")
        place += len(name.encode()) + 1
    lines.append("symbol_names:")
    lines += ['    .asciz "' + name.replace("\\", "\\\\").replace('"', '\\"') + '"' for _, name in high]
    with open(out, "w") as file:
        file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
