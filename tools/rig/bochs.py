"""The Bochs rig: VT-x with EPT, and a clock that counts instructions."""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from devtool import bochs as fast
from devtool.paths import cache_dir
from rig.machine import Machine, RigError

ROMS = {"romimage": Path("/usr/share/bochs/BIOS-bochs-latest"),
        "vgaromimage": Path("/usr/share/vgabios/vgabios.bin")}
CONNECT_SECONDS = 20
TICKS_SECONDS = 5
MAX_MEMORY_MIB = 2048
MAX_FORWARDS = 5
CPU_MODEL = "corei7_haswell_4770"
# Of the packaged Bochs: its virtual interrupts are those that devtool/bochs.py corrects; this one has none.
PACKAGED_CPU_MODEL = "corei7_ivy_bridge_3770k"
# Emulated instructions per emulated second. Paced by the host's clock (the network needs that, its peers
# live in real time) the machine never runs faster than this, so it is near the best that a host reaches.
PACED_IPS = 200_000_000
# Free running: idle time is skipped, so only the unit of the figures depends on it.
FREE_IPS = 100_000_000

# Bochs seeds its RDRAND with srand(time()); with this preloaded the seed is ours and runs repeat.
SEED_SOURCE = r"""
#include <stdlib.h>
void srand(unsigned ignored) {
    const char* seed = getenv("SKEP_BOCHS_SEED");
    srandom(seed ? (unsigned)strtoul(seed, 0, 10) : ignored);
}
"""

CONFIG = """\
{display}
cpu: model={model}, count={cpus}, ips={ips}, reset_on_triple_fault=0
memory: guest={memory}, host={memory}
romimage: file={romimage}, options=fastboot
vgaromimage: file={vgaromimage}
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata1: enabled=1, ioaddr1=0x170, ioaddr2=0x370, irq=15
ata0-master: type=cdrom, path={image}, status=inserted
{disks}
boot: cdrom
{sound}
com1: enabled=1, mode=socket-client, dev=127.0.0.1:{serial}
pci: enabled=1, chipset=i440fx, slot1=e1000
e1000: enabled=1, mac=52:54:00:12:34:56, ethmod=slirp, script={folder}/slirp.conf
clock: {clock}
print_timestamps: enabled=1
log: {folder}/bochs.log
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
"""


class BochsMachine(Machine):
    """i440fx PC, e1000 on the user network (the machine is 10.0.2.15), ATA disks after the CD-ROM drive."""

    rig = "bochs"

    def command(self) -> list[str]:
        config = self.config
        if config.memory_mib > MAX_MEMORY_MIB:
            raise RigError(f"Bochs has at most {MAX_MEMORY_MIB} MiB of memory, not {config.memory_mib}")
        if config.uefi:
            raise RigError("Bochs has no UEFI firmware here: use --rig qemu")
        if len(self.ports) > MAX_FORWARDS:
            raise RigError(f"Bochs forwards at most {MAX_FORWARDS} ports, not {len(self.ports)}")
        for path in ROMS.values():
            if not path.is_file():
                raise RigError(f"{path} is missing: tools/dev setup")
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(CONNECT_SECONDS)
        (self.folder / "slirp.conf").write_text("".join(
            ["# slirp config\n"] + [f"hostfwd = tcp:127.0.0.1:{host}-10.0.2.15:{guest}\n"
                                    for guest, host in self.ports.items()]))
        built = fast.prefix() / "bin" / "bochs"
        packaged = not fast.is_built()
        model = config.cpu_model or (PACKAGED_CPU_MODEL if packaged else CPU_MODEL)
        free = config.seed is not None
        display = 'display_library: rfb, options="timeout=0"' if packaged else "display_library: nogui"
        # Without a sound card the packaged one dies in its mixer.
        sound = "sound: driver=dummy" if packaged else ""
        disks = [f"ata{(n + 1) // 2}-{('master', 'slave')[(n + 1) % 2]}: type=disk, mode=flat, path={path}"
                 for n, path in enumerate(config.disks)]
        (self.folder / "bochsrc").write_text(CONFIG.format(
            display=display, sound=sound, model=model, cpus=config.cpus, memory=config.memory_mib, image=config.image,
            ips=FREE_IPS if free else PACED_IPS, disks="\n".join(disks), folder=self.folder,
            clock="sync=none, time0=1700000000" if free else "sync=slowdown, time0=utc",
            serial=self.listener.getsockname()[1], **ROMS))
        command = [built if not packaged else "bochs", "-q", "-f", self.folder / "bochsrc"]
        if packaged:
            (self.folder / "rc").write_text("c\n")
            command += ["-rc", self.folder / "rc"]
        return command + config.extra

    def environment(self) -> dict[str, str]:
        if self.config.seed is None:
            return {}
        return {"LD_PRELOAD": str(seed_library()), "SKEP_BOCHS_SEED": str(self.config.seed)}

    def ticks(self) -> int:
        """Instructions executed (and idle ticks skipped) since power-on, as the TSC counts them.

        With print_timestamps Bochs answers SIGALRM, and its own timer each second, with a line that has the ticks
        since the last such line (main.cc of Bochs: bx_show_ips_handler).
        """
        def sums() -> list[int]:
            return [int(found) for found in re.findall(r"^IPS: (\d+)\t", (self.folder / "stdout").read_text(),
                                                       re.MULTILINE)]
        before = len(sums())
        os.kill(self.process.pid, signal.SIGALRM)
        deadline = time.monotonic() + TICKS_SECONDS
        while time.monotonic() < deadline:
            found = sums()
            if len(found) > before:
                return sum(found)
            time.sleep(0.0005)
        raise RigError("Bochs does not say how many ticks it made")

    def stdout(self):
        self.console = (self.folder / "stdout").open("wb")
        return self.console

    def open_serial(self) -> None:
        self.console.close()
        try:
            self.line, _ = self.listener.accept()
        except TimeoutError:
            raise RigError(f"Bochs did not open its serial line{self.tail()}") from None
        finally:
            self.listener.close()
        self.line.setblocking(True)
        self.serial_in = self.line.makefile("wb", buffering=0)
        self.serial_out = self.line.fileno()


def seed_library() -> Path:
    library = cache_dir() / "bochs-seed.so"
    source = cache_dir() / "bochs-seed.c"
    if not library.is_file() or not source.is_file() or source.read_text() != SEED_SOURCE:
        if not shutil.which("gcc"):
            raise RigError("the fixed seed of Bochs needs gcc: tools/dev setup")
        source.write_text(SEED_SOURCE)
        partial = cache_dir() / f"bochs-seed.{os.getpid()}"
        subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", partial, source], check=True)
        partial.rename(library)
    return library
