"""reboot(2): the machine goes off, or comes up again."""

import pytest

from devtool import appliance
from devtool.appliance import Appliance
from devtool.paths import BUILD
from rig.machine import Config

PATIENCE = 240


@pytest.fixture
def machine(rig, request):
    """An appliance that runs the command which the test is marked with."""
    appliance.prepare(rig)
    command = request.param
    image = Appliance(command=command).image(f"power-{rig}-{command[0]}")
    # A test lets QEMU go through a reset, as a machine does; the rig ends there.
    extra = ["-action", "reboot=reset"] if rig == "qemu" else []
    config = Config(image=image, time_limit=600, serial_log=BUILD / "exec" / f"power-{rig}-{command[0]}.log", extra=extra)
    try:
        with appliance.start(rig, config) as started:
            yield started
    finally:
        image.unlink(missing_ok=True)


@pytest.mark.parametrize("machine", [["poweroff", "-f"]], indirect=True, ids=["poweroff"])
def test_power_off(machine):
    machine.wait_exit(PATIENCE)
    assert "kernel: power off" in machine.text()
    assert "skep-exec: exit" not in machine.text()


@pytest.mark.parametrize("machine", [["reboot", "-f"]], indirect=True, ids=["reboot"])
def test_reboot(machine):
    for _ in range(2):
        machine.wait_for(r"^skep-exec: start", PATIENCE)
        machine.wait_for(r"^kernel: reboot", PATIENCE)
    assert machine.running()
