"""The control kernel where it runs: as hv's root domain on both emulators, and on QEMU without hv. --rig says nothing here."""

import pytest

from demo.command import run

SCRIPT = """
uname -s
ls /dev/vmmctl >/dev/null 2>&1 && echo vmm
grep -c ^processor /proc/cpuinfo
echo one two three | tr ' ' '\\n' | sort | head -n 1
(sleep 0.1; exit 3) & wait $!; echo $?
"""


@pytest.mark.parametrize("machine, cpus, bare", [("qemu", 1, False), ("qemu", 4, False), ("bochs", 1, False), ("bochs", 4, False),
                                                 ("qemu", 1, True), ("qemu", 4, True)])
def test_boots(machine, cpus, bare):
    done = run(machine, "sh", "-c", SCRIPT, cpus=cpus, bare=bare, time_limit=600)
    expected = ["Linux", *([] if bare else ["vmm"]), str(cpus), "one", "3"]
    assert done.output.split() == expected, done.output + done.errors
    assert done.status == 0
