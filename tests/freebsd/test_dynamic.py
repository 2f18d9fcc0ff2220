"""A dynamic FreeBSD program with an interpreter of our own, as /libexec/ld-elf.so.1 of a base system would be."""

import re
import shutil
import subprocess

import pytest

from demo.command import run
from devtool import builder
from devtool.paths import ROOT

CASE = re.compile(r'\{"(\w+)", [a-z_]\w*\}')  # a function, not a number


def branded(name: str, folder) -> str:
    """The program, marked as FreeBSD's: EI_OSABI 9."""
    builder.ensure([name])
    marked = folder / name
    shutil.copy(builder.programs()[name], marked)
    subprocess.run(["elfedit", "--output-osabi=FreeBSD", marked], check=True)
    return marked


def all_cases() -> list[str]:
    folder = ROOT / "tests" / "freebsd"
    return [name for path in sorted(folder.glob("*.cpp")) for name in CASE.findall(path.read_text())]


@pytest.mark.parametrize("cpus", [1, 2])
def test_dynamic(rig, tmp_path, cpus):
    add = [f"{branded('skep-freebsd-program', tmp_path)}:/root/program",
           f"{branded('skep-freebsd-rtld', tmp_path)}:/libexec/ld-elf.so.1"]
    done = run(rig, "/root/program", "first", "second word", add=add, cpus=cpus)
    fine = re.findall(r"^ok (\w+)$", done.output, re.MULTILINE)
    assert sorted(fine) == sorted(all_cases()), done.output + done.errors
    assert done.output.endswith("end\n")
    assert done.status == 42
