"""The guest of the demonstration: Debian's kernel, and an initramfs of busybox, its modules and skep-guest."""

from dataclasses import dataclass
from pathlib import Path

from demo import linux
from devtool import builder
from devtool.paths import BUILD
from image.cpio import Archive
from image.root import BUSYBOX, stripped

COMMAND_LINE = "console=ttyS0 quiet panic=-1 reboot=t"
DISK_MIB = 16

# What makes a virtio disk work.
MODULES = ["virtio_pci", "virtio_blk"]

INIT = """\
#!/bin/busybox sh
busybox mount -t devtmpfs dev /dev
busybox mount -t proc proc /proc
busybox mount -t sysfs sys /sys
for module in /modules/*; do
    busybox insmod "$module" || echo "init: no $module"
done
{command}
"""


@dataclass
class Guest:
    kernel: Path
    initrd: Path
    command_line: str = COMMAND_LINE


def make() -> Guest:
    """Builds what is out of date; the files are build/demo/vmlinuz and build/demo/initrd."""
    builder.ensure(["skep-guest"])
    archive = initramfs(builder.programs()["skep-guest"], MODULES, "exec /bin/skep-guest")
    folder = BUILD / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "initrd").open("wb") as out:
        archive.write(out)
    (folder / "vmlinuz").write_bytes(linux.kernel().read_bytes())
    return Guest(folder / "vmlinuz", folder / "initrd")


def initramfs(program: Path, modules: list[str], command: str) -> Archive:
    """Busybox, one program of ours in /bin, kernel modules, and the shell command that comes after them."""
    archive = Archive()
    for folder in ("dev", "proc", "sys"):
        archive.folder(folder)
    archive.file("init", INIT.format(command=command).encode(), 0o755)
    archive.file("bin/busybox", BUSYBOX.read_bytes(), 0o755)
    archive.file(f"bin/{program.name}", stripped(program), 0o755)
    for number, module in enumerate(linux.modules(modules)):
        archive.file(f"modules/{number:02}-{module.name}", module.read_bytes())
    return archive
