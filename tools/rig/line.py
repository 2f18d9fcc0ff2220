"""A line of text that comes bit by bit, such as a serial line: keeps it, shows it, waits for patterns in it."""

import os
import re
import threading
import time
from pathlib import Path
from typing import BinaryIO, Callable

# How long a broken line may go unnoticed.
LOOK_SECONDS = 0.5


class LineError(Exception):
    """What was waited for did not come."""


class Line:
    """Reads a file descriptor until its end, in a thread of its own."""

    def __init__(self, source: int, name: str, log: Path | None = None, live: BinaryIO | None = None):
        self.source = source
        self.name = name
        self.log = log
        self.live = live
        self.bytes = bytearray()
        # Where the next wait_for starts looking.
        self.position = 0
        self.open = True
        self.changed = threading.Condition()
        # Why the line ended, when its owner knows better than "ended".
        self.ending: Callable[[], str] = lambda: "ended"
        self.context: Callable[[], str] = lambda: ""
        # What will never come any more, and why: ends each wait when it says something.
        self.broken: Callable[[], str] = lambda: ""
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self) -> None:
        log = self.log.open("wb", buffering=0) if self.log else None
        while True:
            try:
                data = os.read(self.source, 65536)
            except OSError:
                data = b""
            if not data:
                break
            if log:
                log.write(data)
            if self.live:
                try:
                    self.live.write(data)
                    self.live.flush()
                except (OSError, ValueError):
                    self.live = None
            with self.changed:
                self.bytes += data
                self.changed.notify_all()
        if log:
            log.close()
        with self.changed:
            self.open = False
            self.changed.notify_all()

    def wait_for(self, pattern: str, timeout: float) -> re.Match:
        """Waits for a match after the last match, within one line of text; its groups are bytes."""
        compiled = re.compile(pattern.encode(), re.MULTILINE)
        deadline = time.monotonic() + timeout
        start = self.position
        with self.changed:
            while True:
                if compiled.search(self.bytes, start):
                    # A match into the growing buffer would forbid its growth: give one into a copy.
                    match = compiled.search(bytes(self.bytes), start)
                    self.position = match.end()
                    return match
                # Whole lines that did not match need no second look.
                start = max(start, self.bytes.rfind(b"\n") + 1)
                left = deadline - time.monotonic()
                if why := self.broken():
                    raise LineError(f"{why} before {pattern!r} came on {self.name}{self.tail()}")
                if not self.open:
                    raise LineError(f"{self.name} {self.ending()} before {pattern!r} came{self.tail()}")
                if left <= 0:
                    raise LineError(f"no {pattern!r} on {self.name} within {timeout:.0f} s{self.tail()}")
                self.changed.wait(min(left, LOOK_SECONDS))

    def wait_end(self, timeout: float) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: not self.open, timeout)

    def text(self) -> str:
        with self.changed:
            return self.bytes.decode(errors="replace").replace("\r\n", "\n")

    def tail(self, lines: int = 25) -> str:
        """The end of the line, for an error message."""
        shown = "".join(f"\n  | {line}" for line in self.text().splitlines()[-lines:])
        kept = f" ({self.log})" if self.log else ""
        return f"{self.context()}\n  {self.name}{kept}, its end:{shown or ' (empty)'}"
