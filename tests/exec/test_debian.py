"""Debian's programs, dynamic and unmodified, under the Linux personality: they print what they print on the host."""

import subprocess
from pathlib import Path

import pytest

from debian import Bundle
from demo.command import run
from devtool import builder

HERE = Path(__file__).parent
FEW_AND_MORE = pytest.mark.parametrize("cpus", [1, 2])


def on_host(script: Path, folder: Path) -> str:
    done = subprocess.run(["sh", script], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def in_kernel(rig: str, bundle: Bundle, script: Path, cpus: int) -> str:
    bundle.file("/root/script", script)
    done = run(rig, "sh", "-c", "mkdir /tmp/work && cd /tmp/work && exec sh /root/script", add=bundle.add(), cpus=cpus)
    assert done.status == 0, done.output + done.errors
    return done.output


@FEW_AND_MORE
def test_sqlite(rig, cpus, tmp_path):
    script = HERE / "sqlite.sh"
    host = tmp_path / "host"
    host.mkdir()
    bundle = Bundle(tmp_path / "root").program("/usr/bin/sqlite3")
    assert in_kernel(rig, bundle, script, cpus) == on_host(script, host)


@FEW_AND_MORE
def test_ext4_tools(rig, cpus, tmp_path):
    """The same file system, bit for bit, and a check that finds nothing, then repairs what was broken."""
    script = HERE / "ext4.sh"
    host = tmp_path / "host"
    host.mkdir()
    bundle = Bundle(tmp_path / "root").program("/usr/sbin/mke2fs").program("/usr/sbin/e2fsck").file("/etc/mke2fs.conf")
    assert in_kernel(rig, bundle, script, cpus) == on_host(script, host)


@FEW_AND_MORE
def test_python(rig, cpus, tmp_path):
    script = HERE / "python.py"
    expected = subprocess.run(["/usr/bin/python3.11", script], capture_output=True, text=True, check=True, timeout=120).stdout
    bundle = Bundle(tmp_path / "root").program("/usr/bin/python3.11").package("libpython3.11-minimal", "/usr/lib/python3.11/")
    bundle.file("/root/python.py", script)
    done = run(rig, "/usr/bin/python3.11", "/root/python.py", add=bundle.add(), cpus=cpus)
    assert done.output == expected, done.errors
    assert done.status == 0


@FEW_AND_MORE
def test_threads(rig, cpus):
    """Ours, but a static program as Debian's compiler makes it."""
    builder.ensure(["skep-threads-test"])
    program = builder.programs()["skep-threads-test"]
    expected = subprocess.run([program], capture_output=True, text=True, check=True, timeout=120).stdout
    done = run(rig, "/root/skep-threads-test", add=[program], cpus=cpus)
    assert (done.status, done.output) == (0, expected), done.errors
