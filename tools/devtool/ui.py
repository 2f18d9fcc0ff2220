"""What the tools say to people: progress on stderr, results on stdout, errors with the next step."""

import sys
import time


class Failure(Exception):
    """An expected error: what happened, what to do next, and the exit status to leave with."""

    def __init__(self, message: str, hint: str = "", status: int = 1):
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.status = status


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def complain(message: str, hint: str = "") -> None:
    say(f"tools/dev: {message}")
    if hint:
        say(f"  next: {hint}")


class Stopwatch:
    """Seconds of wall clock since its creation."""

    def __init__(self):
        self.start = time.monotonic()

    def seconds(self) -> float:
        return time.monotonic() - self.start

    def __str__(self) -> str:
        return f"{self.seconds():.1f} s"
