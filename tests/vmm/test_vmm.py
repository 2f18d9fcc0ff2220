"""/dev/vmm as a process sees it, under hv: every case of skep-vmm-test on one and two CPUs."""

import pytest

from demo.command import run
from devtool import builder

CASES = ["io", "mmio", "timer", "msi_wakes_halted", "msi_reaches_running", "kick", "signals", "busy", "state", "siblings",
         "dirty_log", "triple_fault", "refusals", "memory_comes_back", "counters", "hv_gets_more_memory", "killed_in_the_guest",
         "destroyed_while_running"]


@pytest.mark.parametrize("cpus", [1, 2])
def test_vmm(rig, cpus):
    builder.ensure(["skep-vmm-test"])
    done = run(rig, "/root/skep-vmm-test", add=[builder.programs()["skep-vmm-test"]], cpus=cpus)
    assert done.output.splitlines() == [f"ok {case}" for case in CASES], done.errors
    assert done.status == 0
