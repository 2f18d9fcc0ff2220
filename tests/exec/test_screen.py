"""The machine's own console: keys of a PS/2 keyboard, and what the screen shows, in VGA text memory and on UEFI's
framebuffer. QEMU's monitor types and looks."""

import json
import re
import socket
import time

import pytest

from devtool import appliance
from devtool.appliance import Appliance
from devtool.paths import BUILD
from rig.machine import Config

PATIENCE = 240
TEXT_MEMORY = 0xB8000
COLUMNS, ROWS = 80, 25
FONT = BUILD / "kernel/dev/tty/font.hpp"
FIRST = 0x20
KEYS = {" ": "spc", "-": "minus", "\n": "ret", "/": "slash", ".": "dot"}
SHIFTED = {"$": "4", "(": "9", ")": "0", "*": "8", "+": "equal"}


class Monitor:
    """QEMU's QMP: qemu-qmp-ref(7)."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(str(path))
        self.file = self.socket.makefile("rw")
        self.file.readline()
        self.call("qmp_capabilities")

    def call(self, command, **arguments):
        self.file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.file.flush()
        while True:
            answer = json.loads(self.file.readline())
            assert "error" not in answer, answer
            if "return" in answer:
                return answer["return"]

    def key(self, *names) -> None:
        self.call("send-key", keys=[{"type": "qcode", "data": name} for name in names], **{"hold-time": 20})
        time.sleep(0.05)  # the keyboard's own queue is short

    def type(self, text: str) -> None:
        for c in text:
            if c in SHIFTED:
                self.key("shift", SHIFTED[c])
            else:
                self.key(KEYS.get(c, c))

    def text_memory(self, folder) -> list[str]:
        path = folder / "memory"
        self.call("pmemsave", val=TEXT_MEMORY, size=COLUMNS * ROWS * 2, filename=str(path))
        letters = path.read_bytes()[::2].decode("ascii", errors="replace")
        return [letters[row * COLUMNS:(row + 1) * COLUMNS].rstrip() for row in range(ROWS)]

    def picture(self, folder) -> list[str]:
        path = folder / "picture"
        self.call("screendump", filename=str(path))
        return read_picture(path.read_bytes())


def read_picture(ppm: bytes) -> list[str]:
    """The characters in a picture of the screen: 8 by 16 pixels or a multiple each, light on dark, in the middle."""
    width, height = map(int, re.match(rb"P6\n(\d+) (\d+)\n255\n", ppm).groups())
    pixels = ppm[-3 * width * height:]
    scale = min(width // (8 * COLUMNS), height // (16 * ROWS))
    left, top = (width - 8 * COLUMNS * scale) // 2, (height - 16 * ROWS * scale) // 2
    glyphs = {tuple(int(row, 16) for row in re.findall("0x(..)", line)): chr(FIRST + n) for n, line in
              enumerate(re.findall(r"^    \{(.*)\},$", FONT.read_text(), re.MULTILINE))}

    def bits(row: int, column: int, y: int) -> int:
        line = (top + (row * 16 + y) * scale) * width + left + column * 8 * scale
        return sum((pixels[3 * (line + x * scale)] > 127) << 7 - x for x in range(8))

    return ["".join(glyphs.get(tuple(bits(row, column, y) for y in range(16)), "?") for column in range(COLUMNS)).rstrip()
            for row in range(ROWS)]


@pytest.mark.parametrize("firmware", ["BIOS", "UEFI"])
def test_screen_and_keyboard(rig, firmware, tmp_path):
    if rig == "bochs":
        pytest.skip("Bochs has no monitor to type by")
    appliance.prepare(rig)
    image = Appliance(command=["sh"]).image(f"screen-{firmware}")
    config = Config(image=image, time_limit=600, serial_log=BUILD / "exec" / f"screen-{firmware}.log", uefi=firmware == "UEFI",
                    extra=["-qmp", f"unix:{tmp_path}/qmp,server=on,wait=off"])
    try:
        with appliance.start(rig, config) as machine:
            machine.wait_for(r"# ", PATIENCE)
            monitor = Monitor(tmp_path / "qmp")
            monitor.type("echo six-$((6*7))\n")
            machine.wait_for(r"^six-42\r?$", PATIENCE)
            machine.wait_for(r"# (\x1b\[6n)?$", PATIENCE)
            monitor.type("sleep 1000\n")
            machine.wait_for(r"sleep 1000\r?\n", PATIENCE)
            # ^C is heard as soon as the program has the terminal; the shell itself answers it with a new prompt.
            monitor.key("ctrl", "c")
            machine.wait_for(r"# (\x1b\[6n)?$", PATIENCE)
            shown = monitor.picture(tmp_path) if firmware == "UEFI" else monitor.text_memory(tmp_path)
            assert "six-42" in shown, shown
            assert any(line.endswith("# echo six-$((6*7))") for line in shown), shown
            monitor.type("exit 4\n")
            assert machine.wait_for(r"^skep-exec: exit (\d+)", PATIENCE)[1] == b"4"
    finally:
        image.unlink(missing_ok=True)
