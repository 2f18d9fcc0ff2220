"""What hv says when it cannot go on: registers and a backtrace with names, of every CPU."""

import re

import pytest

from devtool import appliance, builder
from devtool.paths import BUILD
from image import iso
from image.cpio import Archive
from rig.machine import Config

CPUS = 4
SECONDS = 120


@pytest.mark.parametrize("on", ["qemu", "bochs"])
def test_panic(on):
    appliance.prepare(on)
    builder.ensure(["hv"])
    hv = builder.programs()["hv"]
    # hv in the control kernel's place: it is not linked where a kernel has to be.
    image = iso.build(iso.Boot(kernel=hv, root=Archive(), hv=hv), BUILD / "image" / f"hv-panic-{on}.iso")
    with appliance.start(on, Config(image, cpus=CPUS, memory_mib=256, time_limit=SECONDS)) as machine:
        machine.wait_for(rf"^hv: CPU {CPUS - 1}:", SECONDS)
        machine.wait_for(r"^hv:   at 0x\w+ ap_main", SECONDS)
        text = machine.text()
    assert "the module 'kernel' is no x86-64 ELF" in text
    first, *others = re.split(r"^hv: CPU \d:", text, flags=re.MULTILINE)
    assert re.search(r"^hv:   at 0xffffffff82\w+ hv_main \+ ", first, re.MULTILINE), text
    assert len(others) == CPUS - 1, text
    for other in others:
        assert re.search(r"rax 0x\w+ rbx", other) and re.search(r"at 0x\w+ ap_main", other), text
