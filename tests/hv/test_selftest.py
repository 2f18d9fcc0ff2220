"""hv's self-test as the root domain, in place of the control kernel: hypercalls, exits, state, hostile calls.

Both vendors' hv whatever --rig says: VT-x is Bochs, SVM is QEMU.
"""

from dataclasses import dataclass

import pytest

from devtool import appliance, builder
from devtool.paths import BUILD
from image import iso
from image.cpio import Archive
from rig.machine import Config

MEMORY_MIB = 512


@dataclass
class Machine:
    rig: str
    cpus: int
    seconds: float
    uefi: bool = False

    def __str__(self) -> str:
        return f"{self.rig}-{'uefi' if self.uefi else 'bios'}-{self.cpus}cpu"


MACHINES = [
    Machine("qemu", 1, 300),
    Machine("qemu", 4, 300),
    Machine("qemu", 1, 300, uefi=True),
    Machine("qemu", 4, 300, uefi=True),
    Machine("bochs", 1, 600),
    Machine("bochs", 4, 900),
]


@pytest.mark.parametrize("machine", MACHINES, ids=str)
def test_hv(machine):
    appliance.prepare(machine.rig)
    builder.ensure(["hv", "hv-selftest"])
    programs = builder.programs()
    root = Archive()
    root.folder("etc")
    image = iso.build(iso.Boot(kernel=programs["hv-selftest"], root=root, hv=programs["hv"]),
                      BUILD / "image" / f"hv-selftest-{machine}.iso")
    config = Config(image, cpus=machine.cpus, memory_mib=MEMORY_MIB, uefi=machine.uefi, time_limit=machine.seconds)
    with appliance.start(machine.rig, config) as running:
        result = running.wait_for(r"^hv-selftest: (\d+) passed, (\d+) failed", machine.seconds)
        passed, failed = int(result[1]), int(result[2])
        assert failed == 0 and passed > 0, running.text()
