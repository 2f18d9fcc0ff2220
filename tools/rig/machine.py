"""A machine of a rig: what to boot, its serial line, its ends (power-off, stop, time limit)."""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from rig import children

STOP_GRACE_SECONDS = 3


class RigError(Exception):
    """The machine did not do what was waited for."""


@dataclass
class Forward:
    """A TCP port of the guest network's machine, reachable on 127.0.0.1. Host port 0: any free one."""

    guest: int
    host: int = 0


@dataclass
class Config:
    image: Path
    cpus: int = 1
    memory_mib: int = 1024
    disks: list[Path] = field(default_factory=list)
    forwards: list[Forward] = field(default_factory=list)
    # Wall clock after which the machine is killed; None: never.
    time_limit: float | None = None
    # Where the serial line is written as it comes; None: a file in the machine's own folder.
    serial_log: Path | None = None
    # Where the serial line is shown as it comes.
    live: BinaryIO | None = None
    uefi: bool = False
    # Bochs: makes two runs equal line for line, without pacing by the host's clock. QEMU: no effect.
    seed: int | None = None
    extra: list[str] = field(default_factory=list)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Machine:
    """A running emulator. Leaving its `with` block ends it, however that happens."""

    rig = "?"

    def __init__(self, config: Config):
        self.config = config
        self.folder = Path(tempfile.mkdtemp(prefix=f"skep-{self.rig}-"))
        self.serial_log = config.serial_log or self.folder / "serial.log"
        self.serial_log.parent.mkdir(parents=True, exist_ok=True)
        self.ports: dict[int, int] = {}
        for forward in config.forwards:
            self.ports[forward.guest] = forward.host or free_port()
        self.serial = bytearray()
        self.changed = threading.Condition()
        # Where the next wait_for starts looking.
        self.position = 0
        self.serial_open = True
        self.timed_out = False
        self.started = time.monotonic()
        self.process: subprocess.Popen | None = None
        self.watchdog: threading.Timer | None = None

    # What a rig defines.

    def command(self) -> list[str]:
        """The emulator's command line; files it needs are written to self.folder."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return {}

    def open_serial(self) -> None:
        """After the start: sets self.serial_in (unbuffered writer) and self.serial_out (file descriptor)."""
        raise NotImplementedError

    # Life.

    def start(self) -> "Machine":
        command = [str(word) for word in self.command()]
        (self.folder / "command").write_text(" ".join(command) + "\n")
        with (self.folder / "stderr").open("wb") as errors:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env={**os.environ, **self.environment()},
                stdin=self.stdin(), stdout=self.stdout(), stderr=errors,
                start_new_session=True, preexec_fn=children.die_with_parent)
        children.register(self)
        try:
            self.open_serial()
        except BaseException:
            self.stop()
            raise
        threading.Thread(target=self.read_serial, daemon=True).start()
        if self.config.time_limit:
            self.watchdog = threading.Timer(self.config.time_limit, self.expire)
            self.watchdog.daemon = True
            self.watchdog.start()
        return self

    def stdin(self):
        return subprocess.DEVNULL

    def stdout(self):
        return subprocess.DEVNULL

    def expire(self) -> None:
        self.timed_out = True
        self.kill(signal.SIGKILL)

    def kill(self, number: int) -> None:
        if self.process and self.process.poll() is None:
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                pass

    def stop(self) -> None:
        """Ends the machine now, as pulling the plug would."""
        if self.watchdog:
            self.watchdog.cancel()
        if self.process:
            self.kill(signal.SIGTERM)
            try:
                self.process.wait(STOP_GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill(signal.SIGKILL)
                self.process.wait()
        children.forget(self)

    def wait_exit(self, timeout: float | None = None) -> int:
        """Waits until the machine powers off; its emulator's exit status."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise RigError(f"the machine did not power off within {timeout:.0f} s{self.tail()}") from None
        with self.changed:
            self.changed.wait_for(lambda: not self.serial_open, 2)
        if self.timed_out:
            raise RigError(f"the machine ran into its time limit of {self.config.time_limit:.0f} s{self.tail()}")
        return status

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def seconds(self) -> float:
        return time.monotonic() - self.started

    def __enter__(self) -> "Machine":
        return self

    def __exit__(self, kind, *_) -> None:
        self.stop()
        # After an error its files are evidence.
        if kind is None:
            shutil.rmtree(self.folder, ignore_errors=True)

    # The serial line.

    def read_serial(self) -> None:
        with self.serial_log.open("wb", buffering=0) as log:
            while True:
                try:
                    data = os.read(self.serial_out, 65536)
                except OSError:
                    data = b""
                if not data:
                    break
                log.write(data)
                if self.config.live:
                    self.config.live.write(data)
                    self.config.live.flush()
                with self.changed:
                    self.serial += data
                    self.changed.notify_all()
        with self.changed:
            self.serial_open = False
            self.changed.notify_all()

    def send(self, data: bytes) -> None:
        """Types on the serial line."""
        self.serial_in.write(data)

    def wait_for(self, pattern: str, timeout: float) -> re.Match:
        """Waits for a line of output after the last match; the match has bytes groups."""
        compiled = re.compile(pattern.encode(), re.MULTILINE)
        deadline = time.monotonic() + timeout
        with self.changed:
            while True:
                match = compiled.search(self.serial, self.position)
                if match:
                    self.position = match.end()
                    # A match into the growing buffer would forbid its growth: match a copy.
                    return compiled.search(bytes(self.serial), match.start())
                left = deadline - time.monotonic()
                if not self.serial_open:
                    ending = "ran into its time limit" if self.timed_out else "ended"
                    raise RigError(f"the machine {ending} before {pattern!r} came{self.tail()}")
                if left <= 0:
                    raise RigError(f"no {pattern!r} on the serial line within {timeout:.0f} s{self.tail()}")
                self.changed.wait(left)

    def text(self) -> str:
        with self.changed:
            return self.serial.decode(errors="replace").replace("\r\n", "\n")

    def tail(self, lines: int = 25) -> str:
        """The end of the serial line and of the emulator's own complaints, for an error message."""
        errors = ""
        path = self.folder / "stderr"
        if path.is_file():
            errors = "".join(f"\n  {self.rig}: {line}" for line in
                             path.read_text(errors="replace").splitlines()[-8:])
        shown = "".join(f"\n  | {line}" for line in self.text().splitlines()[-lines:])
        return f"{errors}\n  serial line ({self.serial_log}), its end:{shown or ' (empty)'}"
