"""An appliance that runs on a rig, and the real `skep` command that talks to it from outside."""

import fcntl
import json
import os
import subprocess
from pathlib import Path

from devtool import builder
from rig import children, rigs
from rig.line import Line
from rig.machine import Config, Forward, Machine, RigError

API_PORT = 8443
# The lines that skepd prints on the console at its start (mgmt/skepd/main.cpp).
FINGERPRINT = r"skepd: certificate SHA-256 fingerprint: ([0-9A-F:]+)\r?\n"
TOKEN = r"skepd: one-time token: (\S+)\r?\n"
READY = r"skepd: API ready"


class CommandError(Exception):
    """A `skep` command that failed: its status and what it said."""

    def __init__(self, arguments: list[str], status: int, said: str):
        super().__init__(f"`skep {' '.join(arguments)}` ended with status {status}: {said.strip()}")
        self.status = status
        self.said = said


def lock(folder: Path):
    """A client's memory names one appliance: two at once in one folder would talk to each other's."""
    file = (folder / "lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RigError(f"another run uses {folder}: wait for its end") from None
    return file


class Host:
    """Boots an appliance; leaving the `with` block ends it. The client's memory is in `folder`, its own."""

    def __init__(self, rig: str, image: Path, folder: Path, name: str = "a", **config):
        self.rig = rig
        self.name = name
        self.folder = folder / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lock = lock(self.folder)
        for old in self.folder.rglob("config.json"):
            old.unlink()
        # A rig of software runs ten to a hundred times slower than a machine: how patient to be.
        self.patience = {"bochs": 20.0, "qemu": 5.0}.get(rig, 1.0)
        self.program = builder.programs()["skep"]
        self.config = Config(image=image, forwards=[Forward(API_PORT)],
                             serial_log=self.folder / "serial.log", **config)
        self.machine: Machine | None = None
        self.fingerprint = self.token = ""

    def boot(self) -> "Host":
        self.machine = rigs.start(self.rig, self.config)
        try:
            self.fingerprint = self.machine.wait_for(FINGERPRINT, 30 * self.patience)[1].decode()
            self.token = self.machine.wait_for(TOKEN, 10 * self.patience)[1].decode()
            self.machine.wait_for(READY, 10 * self.patience)
        except BaseException:
            self.machine.stop()
            raise
        return self

    def __enter__(self) -> "Host":
        return self if self.machine else self.boot()

    def __exit__(self, *error) -> None:
        self.machine.__exit__(*error)
        self.lock.close()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.machine.ports[API_PORT]}"

    # The client.

    def environment(self) -> dict[str, str]:
        return {**os.environ, "XDG_CONFIG_HOME": str(self.folder), "HOME": str(self.folder)}

    def skep(self, *words: str | Path, timeout: float = 60) -> str:
        """Runs `skep WORDS...` and returns its output; another status than 0 is a CommandError."""
        command = [str(word) for word in words]
        try:
            done = subprocess.run([self.program, *command], env=self.environment(), text=True,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, errors="replace",
                                  timeout=timeout * self.patience)
        except subprocess.TimeoutExpired as error:
            said = (error.stderr or b"").decode(errors="replace")
            raise RigError(f"`skep {' '.join(command)}` took more than {timeout * self.patience:.0f} s"
                           f" {said}{self.machine.tail()}") from None
        if done.returncode != 0:
            raise CommandError(command, done.returncode, done.stderr or done.stdout)
        return done.stdout

    def json(self, *words: str | Path, timeout: float = 60):
        return json.loads(self.skep("-o", "json", *words, timeout=timeout))

    def login(self) -> None:
        self.skep("login", self.address, "--fingerprint", self.fingerprint, "--token", self.token)

    def console(self, vm: str) -> "Console":
        return Console(self, vm)


class Console:
    """`skep vm console VM`, running: what the guest prints, and typing to it."""

    def __init__(self, host: Host, vm: str):
        self.process = subprocess.Popen(
            [host.program, "vm", "console", vm, "--follow"], env=host.environment(), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=(host.folder / f"console-{vm}.err").open("wb"),
            bufsize=0, preexec_fn=children.die_with_parent)
        self.line = Line(self.process.stdout.fileno(), f"the console of {vm} on appliance {host.name}",
                         host.folder / f"console-{vm}.log")
        self.line.broken = host.machine.last_words

    def wait_for(self, pattern: str, timeout: float):
        return self.line.wait_for(pattern, timeout)

    def send(self, text: str) -> None:
        self.process.stdin.write(text.encode())

    def text(self) -> str:
        return self.line.text()

    def __enter__(self) -> "Console":
        return self

    def __exit__(self, *_) -> None:
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
