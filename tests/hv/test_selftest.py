"""hv's self-test as the root domain, in place of the control kernel: hypercalls, exits, state, hostile calls.

Both vendors' hv whatever --rig says: VT-x is Bochs, SVM is QEMU.
"""

import re
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
    model: str | None = None

    def __str__(self) -> str:
        return f"{self.rig}-{self.model or ('uefi' if self.uefi else 'bios')}-{self.cpus}cpu"


MACHINES = [
    Machine("qemu", 1, 900),
    Machine("qemu", 4, 900),
    Machine("qemu", 1, 900, uefi=True),
    Machine("qemu", 4, 900, uefi=True),
    Machine("bochs", 1, 1800),
    Machine("bochs", 4, 2700),
    # The rig's own, Haswell, has EPT's dirty flags and virtual-interrupt delivery; Ivy Bridge has neither, Skylake-X
    # page-modification logging and posted interrupts besides, and AVX-512.
    Machine("bochs", 1, 1800, model="corei7_ivy_bridge_3770k"),
    Machine("bochs", 4, 2700, model="corei7_skylake_x"),
]


# Of what hv uses where there is one, what the CPU lacks.
WITHOUT = {
    "qemu": {"next RIP saved", "flush by ASID"},
    "bochs": {"page-modification logging", "XSAVES in the root domain", "posted interrupts"},
    "corei7_ivy_bridge_3770k": {"EPT accessed and dirty flags", "page-modification logging", "EPT 1 GiB pages", "INVPCID in guests",
                                "XSAVES in the root domain", "APIC virtualization", "posted interrupts"},
    "corei7_skylake_x": set(),
}


@pytest.mark.parametrize("machine", MACHINES, ids=str)
def test_hv(machine):
    appliance.prepare(machine.rig)
    builder.ensure(["hv", "hv-selftest"])
    programs = builder.programs()
    root = Archive()
    root.folder("etc")
    image = iso.build(iso.Boot(kernel=programs["hv-selftest"], root=root, hv=programs["hv"]),
                      BUILD / "image" / f"hv-selftest-{machine}.iso")
    config = Config(image, cpus=machine.cpus, memory_mib=MEMORY_MIB, uefi=machine.uefi, time_limit=machine.seconds,
                    cpu_model=machine.model)
    with appliance.start(machine.rig, config) as running:
        result = running.wait_for(r"^hv-selftest: (\d+) passed, (\d+) failed", machine.seconds)
        passed, failed = int(result[1]), int(result[2])
        assert failed == 0 and passed > 0, running.text()
        # The log is in text by BIOS, drawn by UEFI.
        assert "no screen" not in running.text(), running.text()
        # What the CPU lacks is said, and that it went without it.
        without = set(re.findall(r"^hv: hv/\w+[^:]*: without (.*?)\r?$", running.text(), re.MULTILINE))
        assert without == WITHOUT[machine.model or machine.rig], running.text()
