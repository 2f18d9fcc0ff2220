"""Random system calls by a user without rights, under both personalities: the kernel is alive and consistent afterwards."""

import os
import re

import pytest

from demo.command import run
from devtool import builder

PROGRAMS = ["skep-fuzz-syscalls", "skep-fuzz-calls"]
# `tools/dev test fuzz-qemu` asks for more.
SHORT = {"qemu": 50_000, "kvm": 100_000, "bochs": 10_000}
SEED = 1


def fuzz(rig, cpus, calls, seed):
    builder.ensure(PROGRAMS)
    known = builder.programs()
    return run(rig, "/root/skep-fuzz-syscalls", str(calls), str(seed), add=[known[name] for name in PROGRAMS], bare=True,
               cpus=cpus, time_limit=600 + calls / 500)


@pytest.mark.parametrize("cpus", [1, 4])
def test_random_calls(rig, cpus):
    calls = int(os.environ.get("SKEP_FUZZ_CALLS", SHORT[rig]))
    done = fuzz(rig, cpus, calls, int(os.environ.get("SKEP_FUZZ_SEED", SEED)) * 1_000_000 + cpus)
    made = re.search(r"^(\d+) calls by \d+ programs", done.output, re.MULTILINE)
    assert done.status == 0 and made and int(made[1]) >= calls, done.output[-4000:] + done.errors[-4000:]
    assert "alive" in done.output.splitlines()
