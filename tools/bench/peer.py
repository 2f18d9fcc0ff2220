"""The peer: Debian's kernel with KVM on the same Bochs, running one program as all of its userland."""

import re
import subprocess
from pathlib import Path

from demo import guest, linux
from devtool import appliance, builder
from devtool.paths import BUILD
from devtool.ui import Failure
from image import iso
from image.cpio import Archive
from rig.machine import Config, Machine

COMMAND_LINE = "console=ttyS0 quiet mitigations=off panic=-1"
END = r"^bench: end (\d+)\."  # the kernel may write on the same line behind it
QEMU = Path("/usr/bin/qemu-system-x86_64")
QEMU_DATA = ["/usr/share/seabios/bios-256k.bin", "/usr/share/qemu/kvmvapic.bin", "/usr/share/qemu/linuxboot_dma.bin"]


def start(program: str, *arguments: str, seed: int, seconds: float, memory_mib: int = 1024,
          add: Archive | None = None) -> Machine:
    """Boots it on Bochs with its clock running free; the program's end is the line END."""
    appliance.prepare("bochs")
    builder.ensure([program])
    words = " ".join(f"'{word}'" for word in (f"/bin/{program}", *arguments))
    initrd = guest.initramfs(builder.programs()[program], ["kvm_intel"],
                             f"{words}; echo \"bench: end $?.\"; busybox sleep 1; busybox poweroff -f")
    if add:
        for path, entry in add.entries.items():
            initrd.add(path, entry)
    image = iso.build(iso.LinuxBoot(linux.kernel(), initrd, COMMAND_LINE), BUILD / "image" / f"peer-{program}.iso")
    return appliance.start("bochs", Config(image, seed=seed, time_limit=seconds, memory_mib=memory_mib))


def libraries(program: Path) -> list[str]:
    """The shared libraries and the dynamic loader that a program needs."""
    shown = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return re.findall(r"(/\S+) \(0x", shown)


def qemu() -> Archive:
    """Debian's QEMU with all that it needs to run a guest without devices of ours."""
    archive = Archive()
    archive.folder("tmp", 0o1777)
    for name in [str(QEMU), *libraries(QEMU), *QEMU_DATA]:
        path = Path(name)
        if not path.is_file():
            raise Failure(f"{path} is missing", "tools/dev setup")
        archive.file(name, path.read_bytes(), 0o755)
    return archive
