"""What Linux promises of files, events and sockets: skep-files-test on the build host's Linux, and in the control kernel."""

import re
import subprocess

import pytest

from demo.command import run
from devtool import builder


def cases(output: str) -> list[str]:
    return re.findall(r"^ok (\w+)$", output, re.MULTILINE)


def test_host():
    """The cases themselves are right."""
    builder.ensure(["skep-files-test"])
    done = subprocess.run([builder.programs()["skep-files-test"]], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout
    assert len(cases(done.stdout)) > 30


@pytest.mark.parametrize("cpus", [1, 2])
def test_kernel(rig, cpus):
    builder.ensure(["skep-files-test"])
    program = builder.programs()["skep-files-test"]
    expected = cases(subprocess.run([program], capture_output=True, text=True, timeout=120).stdout)
    done = run(rig, "/root/skep-files-test", add=[program], cpus=cpus)
    # Beside the cases there is what the kernel logs of the children that die as they should.
    assert cases(done.output) == expected, done.output
    assert done.status == 0
