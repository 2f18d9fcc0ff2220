"""Makes a bootable ISO image: GRUB for BIOS and UEFI, hv, the control kernel, the root archive."""

import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from devtool.ui import Failure
from image.cpio import Archive

# What the boot needs of GRUB; all its modules would make the image 15 MB larger and slower to build.
GRUB_MODULES = ("all_video boot echo halt iso9660 linux multiboot2 normal part_acorn part_amiga part_apple part_bsd part_dfly part_dvh "
                "part_gpt part_msdos part_plan part_sun part_sunpc serial sleep terminal test")

# UEFI has a framebuffer, the BIOS keeps its text mode; multiboot2 sets gfxpayload to what the image asks for.
GRUB_CFG = """\
serial --unit=0 --speed=115200
terminal_output serial console
# By GOP: 32 bits a pixel, which hv draws on; GRUB's own drivers of emulated cards prefer 24.
if [ "$grub_platform" = efi ]; then insmod efi_gop; fi
{commands}
if [ "$grub_platform" = pc ]; then set gfxpayload=text; fi
boot
echo skep-image: GRUB could not boot the image
sleep 2
halt
"""


@dataclass
class Boot:
    """What GRUB loads. Without hv the control kernel boots on the bare machine."""

    kernel: Path
    root: Archive
    hv: Path | None = None
    kernel_arguments: list[str] = field(default_factory=list)
    hv_arguments: list[str] = field(default_factory=list)

    def commands(self) -> str:
        kernel_arguments = " ".join(self.kernel_arguments)
        if self.hv:
            lines = [f"multiboot2 /boot/hv {' '.join(self.hv_arguments)}",
                     f"module2 /boot/kernel kernel {kernel_arguments}"]
        else:
            lines = [f"multiboot2 /boot/kernel {kernel_arguments}"]
        return "\n".join(line.rstrip() for line in lines + ["module2 /boot/root root"])


    def write(self, folder: Path) -> None:
        strip(self.kernel, folder / "kernel")
        if self.hv:
            strip(self.hv, folder / "hv")
        with (folder / "root").open("wb") as out:
            self.root.write(out)


@dataclass
class LinuxBoot:
    """A Linux on the bare machine: the peer in benchmarks."""

    kernel: Path
    initrd: Archive
    command_line: str

    def commands(self) -> str:
        return f"linux /boot/vmlinuz {self.command_line}\ninitrd /boot/initrd"

    def write(self, folder: Path) -> None:
        shutil.copyfile(self.kernel, folder / "vmlinuz")
        with (folder / "initrd").open("wb") as out:
            self.initrd.write(out)


def build(boot: Boot | LinuxBoot, image: Path) -> Path:
    """Writes the image (replacing it) and returns its path."""
    image.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="skep-iso-", dir=image.parent) as name:
        tree = Path(name)
        (tree / "boot/grub").mkdir(parents=True)
        (tree / "boot/grub/grub.cfg").write_text(GRUB_CFG.format(commands=boot.commands()))
        boot.write(tree / "boot")
        made = subprocess.run(
            ["grub-mkrescue", "--locales=", "--fonts=", "--themes=", "--compress=no",
             f"--install-modules={GRUB_MODULES}", "-o", image.with_suffix(".partial"), tree],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if made.returncode != 0:
        raise Failure(f"{made.stdout}grub-mkrescue failed", "tools/dev setup")
    image.with_suffix(".partial").rename(image)
    return image


def strip(program: Path, out: Path) -> None:
    """Without debug information, but with the symbol table that a panic's backtrace may want."""
    if subprocess.run(["strip", "--strip-debug", "-o", out, program]).returncode != 0:
        shutil.copyfile(program, out)
