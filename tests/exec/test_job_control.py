"""Debian's busybox as an interactive shell on the serial console, with job control."""

import pytest

from devtool import appliance
from devtool.appliance import Appliance
from devtool.paths import BUILD
from rig.machine import Config

PATIENCE = 240


class Shell:
    """A shell at the machine's serial line. What is typed comes back as an echo: it must not look like an answer."""

    def __init__(self, machine):
        self.machine = machine
        self.wait(r"# ")

    def wait(self, pattern: str):
        return self.machine.wait_for(pattern, PATIENCE)

    def type(self, keys: str) -> None:
        self.machine.send(keys.encode())

    def prompt(self) -> None:
        # The shell asks the terminal where the cursor is; a serial line does not say.
        self.wait(r"# (\x1b\[6n)?$")

    def ask(self, command: str, answer: str) -> None:
        self.type(command + "\r")
        self.wait(answer)
        self.prompt()

    def start(self, rest: str) -> None:
        """A job that says when it runs, so that keys typed then are for it."""
        self.type(f"sh -c 'echo run\"\"ning; {rest}'\r")
        self.wait(r"^running\r?$")


@pytest.mark.parametrize("cpus", [1, 2])
def test_job_control(rig, cpus):
    appliance.prepare(rig)
    name = f"job-control-{rig}-{cpus}"
    image = Appliance(command=["sh"]).image(name)
    config = Config(image=image, cpus=cpus, time_limit=600, serial_log=BUILD / "exec" / f"{name}.log")
    try:
        with appliance.start(rig, config) as machine:
            converse(Shell(machine))
            assert machine.wait_for(r"^skep-exec: exit (\d+)", PATIENCE)[1] == b"5"
    finally:
        image.unlink(missing_ok=True)


def converse(shell: Shell) -> None:
    shell.ask("echo $((6 * 7))", r"^42\r?$")
    # ^C ends the job, not the shell.
    shell.start("exec sleep 1000")
    shell.type("\x03")
    shell.prompt()
    shell.ask("echo stat''us $?", r"^status 130\r?$")
    # ^Z stops it; bg lets it go on behind, kill ends it.
    shell.start("exec sleep 1001")
    shell.type("\x1a")
    shell.wait(r"\[1\]\+\s+Stopped")
    shell.prompt()
    shell.ask("bg", r"^\[1\] ")
    shell.ask("jobs", r"^\[1\]\+\s+Running")
    shell.ask("kill %1; wait %1; echo stat''us $?", r"^status 143\r?$")
    # fg: it has the terminal again, and its end.
    shell.start("cat; echo en''d")
    shell.type("\x1a")
    shell.wait(r"Stopped")
    shell.prompt()
    shell.type("fg\r")
    shell.wait(r"^sh -c ")
    shell.type("to cat\r")
    shell.wait(r"^to cat\r?$")  # the echo
    shell.wait(r"^to cat\r?$")
    shell.type("\x04")
    shell.wait(r"^end\r?$")
    shell.prompt()
    # A job in the background that reads the terminal is stopped.
    shell.type("cat &\r")
    shell.prompt()
    shell.ask("sleep 1; jobs", r"^\[1\]\+\s+Stopped \(tty input\)")
    shell.ask("kill %1; kill -CONT %1; wait; echo don''e", r"^done\r?$")
    # Pipelines: one group; ^C ends all of it.
    shell.ask("yes | head -n 3 | wc -l", r"^3\r?$")
    shell.start("sleep 1002 | cat")
    shell.type("\x03")
    shell.prompt()
    shell.ask("ps | grep -c '[s]leep 100'", r"^0\r?$")
    shell.ask("tty; stty size", r"^/dev/(console|ttyS0)\r?$")
    shell.type("exit 5\r")
