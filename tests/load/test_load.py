"""Processes, pipes, files, sockets, threads, signals and memory at once on four CPUs: nothing hangs, nothing leaks."""

import os

from demo.command import run
from devtool import builder

# SKEP_LOAD_SECONDS asks for more.
DEFAULT_SECONDS = {"qemu": 120, "kvm": 120, "bochs": 5}


def test_load(rig):
    seconds = int(os.environ.get("SKEP_LOAD_SECONDS", DEFAULT_SECONDS[rig]))
    builder.ensure(["skep-load-test"])
    done = run(rig, "/root/skep-load-test", str(seconds), add=[builder.programs()["skep-load-test"]], bare=True, cpus=4,
               time_limit=600 + 5 * seconds)
    assert done.status == 0, done.output[-4000:] + done.errors[-4000:]
    assert done.output.endswith("all is well\n")
