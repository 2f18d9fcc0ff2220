"""What Linux promises of files, events and sockets: skep-files-test on the build host's Linux, and in the control kernel."""

import re
import subprocess

import pytest

from demo.command import run
from devtool import builder


def program() -> str:
    builder.ensure(["skep-files-test"])
    return builder.programs()["skep-files-test"]


def all_cases() -> list[str]:
    return subprocess.run([program(), "--list"], capture_output=True, text=True, check=True).stdout.split()


def cases(output: str) -> list[str]:
    return re.findall(r"^ok (\w+)$", output, re.MULTILINE)


def test_host():
    """The cases themselves are right."""
    done = subprocess.run([program()], capture_output=True, text=True, timeout=120)
    assert cases(done.stdout) == all_cases(), done.stdout
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("cpus", [1, 2])
def test_kernel(rig, cpus):
    expected = all_cases()
    done = run(rig, "/root/skep-files-test", add=[program()], cpus=cpus)
    # Beside the cases there is what the kernel logs of the children that die as they should.
    assert cases(done.output) == expected, done.output
    assert done.status == 0
