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
from rig.line import Line, LineError

STOP_GRACE_SECONDS = 3
# The last words of hv, of the control kernel, and of GRUB's script in the image: nothing comes after them but the rest
# of the message.
LAST_WORDS = re.compile(rb"^(?:hv|kernel): PANIC.*$|^skep-image: .*$", re.MULTILINE)
LAST_WORDS_SECONDS = 1


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
    # Bochs: a name of its `cpu: model=`; None: the rig's own. QEMU: no effect.
    cpu_model: str | None = None
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
        self.serial: Line | None = None
        self.timed_out = False
        self.died: float | None = None
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
        self.serial = Line(self.serial_out, "the serial line", self.serial_log, self.config.live)
        self.serial.ending = self.ending
        self.serial.context = self.complaints
        self.serial.broken = self.last_words
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
        self.serial.wait_end(2)
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

    def send(self, data: bytes) -> None:
        """Types on the serial line."""
        self.serial_in.write(data)

    def wait_for(self, pattern: str, timeout: float) -> re.Match:
        """Waits for a pattern on the serial line, after the last match; its groups are bytes."""
        try:
            return self.serial.wait_for(pattern, timeout)
        except LineError as error:
            raise RigError(str(error)) from None

    def text(self) -> str:
        return self.serial.text()

    def last_words(self) -> str:
        """The line with which the machine gave up, once it has had time to say the rest; empty while it lives."""
        with self.serial.changed:
            found = LAST_WORDS.search(self.serial.bytes)
            words = found[0].decode(errors="replace").strip() if found else ""
            del found
        if not words:
            return ""
        self.died = self.died or time.monotonic()
        if time.monotonic() < self.died + LAST_WORDS_SECONDS:
            return ""
        return f"the machine gave up with `{words}`"

    def ending(self) -> str:
        return "ran into its time limit" if self.timed_out else "ended"

    def complaints(self) -> str:
        """The end of what the emulator itself said."""
        path = self.folder / "stderr"
        lines = path.read_text(errors="replace").splitlines()[-8:] if path.is_file() else []
        return "".join(f"\n  {self.rig}: {line}" for line in lines)

    def tail(self) -> str:
        return self.serial.tail() if self.serial else self.complaints()
