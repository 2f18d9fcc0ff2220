"""Debian's busybox, unmodified, under the Linux personality."""

from demo.command import run


def test_a_shell_prints(rig):
    done = run(rig, "sh", "-c", "echo hello $((6 * 7))")
    assert (done.status, done.output) == (0, "hello 42\n")


def test_status_comes_back(rig):
    assert run(rig, "sh", "-c", "exit 7").status == 7
