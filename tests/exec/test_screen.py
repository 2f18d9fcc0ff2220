"""The machine's own console: keys of a PS/2 keyboard, and what VGA text memory shows. QEMU's monitor types and looks."""

import json
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

    def screen(self, folder) -> list[str]:
        path = folder / "screen"
        self.call("pmemsave", val=TEXT_MEMORY, size=COLUMNS * ROWS * 2, filename=str(path))
        letters = path.read_bytes()[::2].decode("ascii", errors="replace")
        return [letters[row * COLUMNS:(row + 1) * COLUMNS].rstrip() for row in range(ROWS)]


def test_screen_and_keyboard(rig, tmp_path):
    if rig == "bochs":
        pytest.skip("Bochs has no monitor to type by")
    appliance.prepare(rig)
    image = Appliance(command=["sh"]).image("screen")
    config = Config(image=image, time_limit=600, serial_log=BUILD / "exec" / "screen.log",
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
            shown = monitor.screen(tmp_path)
            assert "six-42" in shown, shown
            assert any(line.endswith("# echo six-$((6*7))") for line in shown), shown
            monitor.type("exit 4\n")
            assert machine.wait_for(r"^skep-exec: exit (\d+)", PATIENCE)[1] == b"4"
    finally:
        image.unlink(missing_ok=True)
