"""Makes an appliance image out of the build and boots it on a rig, for every verb that needs one."""

from dataclasses import dataclass, field
from pathlib import Path

from devtool import bochs, builder, packages
from devtool.paths import BUILD
from devtool.ui import Failure
from image import iso, root
from rig import rigs
from rig.machine import Config, Machine, RigError


@dataclass
class Appliance:
    """What to boot: with or without hv, extra files, and a command in place of the services."""

    bare: bool = False
    extras: list[str] = field(default_factory=list)
    command: list[str] | None = None
    kernel_arguments: list[str] = field(default_factory=list)
    hv_arguments: list[str] = field(default_factory=list)
    checks: bool = False

    def image(self, name: str) -> Path:
        """Builds what is out of date and writes build/image/NAME.iso."""
        programs = builder.ensure_appliance(self.bare)
        if self.checks:
            programs["kernel"] = builder.checked_kernel()
        archive = root.base(programs)
        for extra in self.extras:
            root.add_extra(archive, extra)
        if self.command:
            root.set_command(archive, self.command)
        boot = iso.Boot(kernel=programs["kernel"], root=archive, hv=programs.get("hv"),
                        kernel_arguments=self.kernel_arguments, hv_arguments=self.hv_arguments)
        return iso.build(boot, BUILD / "image" / f"{name}.iso")


def prepare(rig: str | None) -> str:
    """The rig to use, with everything that it needs."""
    packages.need("rig")
    rig = rig or rigs.default()
    if rig == "bochs":
        bochs.ensure()
    return rig


def start(rig: str, config: Config) -> Machine:
    try:
        return rigs.start(rig, config)
    except RigError as error:
        raise Failure(str(error)) from error


def rig_arguments(parser) -> None:
    parser.add_argument("--rig", choices=sorted(rigs.RIGS),
                        help="default: kvm where it nests, else qemu")
    parser.add_argument("--cpus", type=int, default=1, metavar="N", help="default 1")
    parser.add_argument("--memory", type=int, default=1024, metavar="MIB", help="default 1024")
    parser.add_argument("--uefi", action="store_true", help="boot by UEFI (qemu and kvm)")
    parser.add_argument("--seed", type=int, metavar="N",
                        help="bochs: repeat exactly, free running, clock not paced by the host's")
    parser.add_argument("--disk", type=Path, action="append", default=[], metavar="FILE",
                        help="a raw disk image for the machine")


def image_arguments(parser) -> None:
    parser.add_argument("--bare", action="store_true", help="the control kernel without hv")
    parser.add_argument("--add", action="append", default=[], metavar="PATH[:DEST]",
                        help="a file or folder for the root; DEST defaults to /root/NAME, one that ends "
                             "with / is the folder to put it into")
    parser.add_argument("--checks", action="store_true",
                        help="the kernel of tests: panics at undefined behaviour and at locks taken out of order")
    parser.add_argument("--kernel-arg", action="append", default=[], metavar="ARG", help="for the kernel's command line")
    parser.add_argument("--hv-arg", action="append", default=[], metavar="ARG", help="for hv's command line")


def config_of(options, image: Path, **more) -> Config:
    return Config(image=image, cpus=options.cpus, memory_mib=options.memory, uefi=options.uefi,
                  seed=options.seed, disks=[disk.resolve() for disk in options.disk], **more)
