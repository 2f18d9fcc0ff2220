"""The rigs: booting, the serial line both ways, and every way to end."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from devtool.paths import TOOLS
from image import iso
from image.cpio import Archive
from rig import rigs
from rig.machine import Config, Forward, RigError

HERE = Path(__file__).parent
BOOT_SECONDS = 60


@pytest.fixture(scope="module")
def image(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("echo")
    subprocess.run(["gcc", "-m32", "-nostdlib", "-static", "-no-pie", "-Wl,--build-id=none",
                    "-Wl,-Ttext=0x1000000", "-Wl,-z,max-page-size=4096", "-o", folder / "echo", HERE / "echo.S"],
                   check=True)
    root = Archive()
    root.file("etc/hostname", b"echo\n")
    return iso.build(iso.Boot(kernel=folder / "echo", root=root), folder / "echo.iso")


def gone(pid: int) -> bool:
    """Whether the process has ended; one that waits for its parent to notice has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("rig, options", [
    ("qemu", {}), ("qemu", {"uefi": True}), ("bochs", {}), ("bochs", {"seed": 1}), ("bochs", {"cpus": 2}),
], ids=["qemu", "qemu-uefi", "bochs", "bochs-seed", "bochs-2-cpus"])
def test_boots_echoes_and_powers_off(rig, options, image, tmp_path):
    log = tmp_path / "serial.log"
    config = Config(image, forwards=[Forward(80)], time_limit=BOOT_SECONDS, serial_log=log, **options)
    with rigs.start(rig, config) as machine:
        machine.wait_for("echo: up", BOOT_SECONDS)
        machine.send(b"abc")
        machine.wait_for("abc", 10)
        if not options.get("uefi"):  # OVMF puts the power management ports elsewhere
            machine.send(b"q")
            machine.wait_exit(10)
    assert b"echo: up\r\nabc" in log.read_bytes()


@pytest.mark.parametrize("rig", ["qemu", "bochs"])
def test_the_time_limit_ends_it(rig, image):
    with rigs.start(rig, Config(image, time_limit=2)) as machine:
        with pytest.raises(RigError, match="time limit"):
            machine.wait_exit(20)
        assert gone(machine.process.pid)


@pytest.mark.parametrize("rig", ["qemu", "bochs"])
@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
def test_it_ends_with_the_program_that_started_it(rig, how, image):
    program = (f"import sys, time; sys.path.insert(0, {str(TOOLS)!r})\n"
               "from pathlib import Path\nfrom devtool.cli import end_on_signals\nend_on_signals()\n"
               "from rig import rigs; from rig.machine import Config\n"
               f"machine = rigs.start({rig!r}, Config(Path({str(image)!r})))\n"
               "print(machine.process.pid, flush=True)\ntime.sleep(60)\n")
    owner = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    pid = int(owner.stdout.readline())
    assert not gone(pid)
    os.kill(owner.pid, {"SIGTERM": 15, "SIGKILL": 9}[how])
    owner.wait(20)
    deadline = time.monotonic() + 10
    while not gone(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert gone(pid)


def test_a_broken_image_says_so(tmp_path):
    (tmp_path / "empty.iso").write_bytes(b"\0" * 65536)
    with rigs.start("qemu", Config(tmp_path / "empty.iso", time_limit=3)) as machine:
        with pytest.raises(RigError, match="echo: up"):
            machine.wait_for("echo: up", 10)
