"""A machine whose programs take all there is goes on, and gets all of it back: skep-holds-test in the control kernel."""

import re

import pytest

from demo.command import run
from devtool import builder

CASES = ["descriptors", "nobody_reads", "sockets_in_sockets", "zombies", "threads", "fork_bomb", "address_space",
         "memory", "memory_by_many", "memory_of_the_kernel", "many_files", "full_tmpfs"]


@pytest.mark.parametrize("cpus", [1, 4])
def test_holds(rig, cpus):
    builder.ensure(["skep-holds-test"])
    program = builder.programs()["skep-holds-test"]
    done = run(rig, "env", "HOLDS_ANYWHERE=1", "/root/skep-holds-test", add=[program], cpus=cpus, bare=True, time_limit=1500)
    assert re.findall(r"^ok (\w+) ", done.output, re.MULTILINE) == CASES, done.output + done.errors
    assert done.status == 0, done.output
