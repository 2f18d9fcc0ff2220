"""hv's self-test as the root domain, in place of the control kernel: hypercalls, exits, state, hostile calls."""

import pytest

from devtool import appliance, builder
from devtool.paths import BUILD
from image import iso
from image.cpio import Archive
from rig.machine import Config

SECONDS = {"bochs": 400, "qemu": 150, "kvm": 60}


@pytest.mark.parametrize("cpus", [1, 2])
def test_hv(rig, cpus):
    builder.ensure(["hv", "hv-selftest"])
    programs = builder.programs()
    root = Archive()
    root.folder("etc")
    image = iso.build(iso.Boot(kernel=programs["hv-selftest"], root=root, hv=programs["hv"]),
                      BUILD / "image" / f"hv-selftest-{rig}-{cpus}.iso")
    with appliance.start(rig, Config(image, cpus=cpus, memory_mib=512, time_limit=SECONDS[rig])) as machine:
        result = machine.wait_for(r"^hv-selftest: (\d+) passed, (\d+) failed", SECONDS[rig])
        passed, failed = int(result[1]), int(result[2])
        assert failed == 0 and passed > 0, machine.text()
