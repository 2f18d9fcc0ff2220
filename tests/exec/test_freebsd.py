"""A static FreeBSD program, as Go's own compiler makes it, under the native personality."""

import os
import subprocess
from pathlib import Path

import pytest

from demo.command import run

HERE = Path(__file__).parent


def build(name: str, folder: Path) -> Path:
    subprocess.run(["go", "build", "-trimpath", "-o", folder / name, "."], cwd=HERE / name, check=True,
                   env={**os.environ, "GOOS": "freebsd", "GOARCH": "amd64", "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod"})
    return folder / name


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> Path:
    return build("gobsd", tmp_path_factory.mktemp("gobsd"))


@pytest.mark.parametrize("cpus", [1, 2])
def test_a_go_program(rig, program, cpus):
    done = run(rig, "/root/gobsd", add=[program], cpus=cpus)
    assert done.output == "freebsd/amd64\nfiles: ok\ngoroutines: ok\ntcp: ok\n", done.errors
    assert done.status == 0


KQUEUE = "READ, WRITE: ok\nVNODE: ok\nPROC: ok\nSIGNAL: ok\nTIMER: ok\nUSER: ok\nreceipts: ok\nshared queue: ok\n"


@pytest.mark.parametrize("cpus", [1, 2])
def test_kqueue(rig, tmp_path, cpus):
    """Every filter, as the native personality has it."""
    done = run(rig, "/root/gokqueue", add=[build("gokqueue", tmp_path)], cpus=cpus)
    assert (done.status, done.output) == (0, KQUEUE), done.errors


SKQ = ["refusals: ok", "fairness: ok", "closing: ok", "timeouts: ok"] + [
    f"brutal: {name}" for name in ("rand", "queue0", "queue2", "cpu0", "cpu2", "best2", "ws", "q0_ws", "cpu0_ws", "cpu2_ws", "best2_ws")]


@pytest.mark.parametrize("cpus", [1, 4])
def test_scheduled_kqueue(rig, tmp_path, cpus):
    """A queue per thread: every policy, with threads that come and go."""
    done = run(rig, "/root/goskq", add=[build("goskq", tmp_path)], cpus=cpus)
    # FKQMPRNT writes to the kernel's log, which is on the same console.
    lines = [line for line in done.output.splitlines() if not line.startswith("kernel: ")]
    assert (done.status, lines) == (0, SKQ), done.errors
    assert "kernel: kqueue: scheduler 4, 2 candidates, steals 1; " in done.output


def test_pty(rig, tmp_path):
    done = run(rig, "/root/gopty", add=[build("gopty", tmp_path)], cpus=2)
    assert (done.status, done.output) == (0, "names: ok\nsession: ok\n"), done.errors
