"""The one list of test functions that do not pass in the control kernel, with the reason of each."""

from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("exceptions.txt")


@dataclass(frozen=True)
class Exception_:
    package: str
    test: str
    skip: bool  # not run at all: it would keep the others from ending
    reason: str


def load() -> list[Exception_]:
    found = []
    for line in FILE.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        head, _, reason = line.partition(": ")
        words = head.split()
        skip = words[0] == "skip"
        package, test = words[1:] if skip else words
        found.append(Exception_(package, test, skip, reason))
    return found


def of(package: str) -> dict[str, Exception_]:
    return {one.test: one for one in load() if one.package == package}
