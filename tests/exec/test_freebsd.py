"""A static FreeBSD program, as Go's own compiler makes it, under the native personality."""

import os
import subprocess
from pathlib import Path

import pytest

from demo.command import run

SOURCE = Path(__file__).parent / "gobsd"


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("gobsd") / "gobsd"
    subprocess.run(["go", "build", "-trimpath", "-o", out, "."], cwd=SOURCE, check=True,
                   env={**os.environ, "GOOS": "freebsd", "GOARCH": "amd64", "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod"})
    return out


@pytest.mark.parametrize("cpus", [1, 2])
def test_a_go_program(rig, program, cpus):
    done = run(rig, "/root/gobsd", add=[program], cpus=cpus)
    assert done.output == "freebsd/amd64\nfiles: ok\ngoroutines: ok\ntcp: ok\n", done.errors
    assert done.status == 0
