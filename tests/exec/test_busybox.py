"""Debian's busybox, unmodified, under the Linux personality."""

import re

from demo.command import run


def test_a_shell_prints(rig):
    done = run(rig, "sh", "-c", "echo hello $((6 * 7))")
    assert (done.status, done.output) == (0, "hello 42\n")


def test_status_comes_back(rig):
    assert run(rig, "sh", "-c", "exit 7").status == 7


def test_process_tools(rig):
    """ps, top and free find in /proc what they look for."""
    done = run(rig, "sh", "-c", "sleep 1000 & ps; top -b -n 1 | head -n 20; free -k; kill $!", cpus=2)
    assert done.status == 0, done.output + done.errors
    assert re.search(r"^ +1 root +/sbin/init$", done.output, re.MULTILINE), done.output
    assert re.search(r"^ +\d+ root +sleep 1000$", done.output, re.MULTILINE), done.output
    assert re.search(r"^CPU: +\d+% usr .* (\d+)% idle", done.output, re.MULTILINE), done.output
    assert re.search(r"^ +1 +0 root +S .* /sbin/init$", done.output, re.MULTILINE), done.output
    total, used, free = map(int, re.search(r"^Mem: +(\d+) +(\d+) +(\d+)", done.output, re.MULTILINE).groups())
    assert 0 < used < total and 0 < free < total, done.output
