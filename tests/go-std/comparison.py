"""A package's tests in the control kernel beside the same tests on the build host."""

from dataclasses import dataclass, field
from pathlib import Path

import exceptions
import guest
import host
import results
from packages import Package


@dataclass
class Comparison:
    package: str
    counted: set[str] = field(default_factory=set)  # those that the build host passes and FreeBSD's program has
    passed: set[str] = field(default_factory=set)
    output: str = ""

    @property
    def missed(self) -> set[str]:
        return self.counted - self.passed

    def unexplained(self) -> set[str]:
        return self.missed - set(exceptions.of(self.package))

    def __str__(self) -> str:
        done = len(self.counted & self.passed)
        return f"{self.package}: {done} of {len(self.counted)} pass; not: {' '.join(sorted(self.missed)) or 'none'}"


def compare(rig: str, package: Package, folder: Path, bare: bool = False) -> Comparison:
    ordinary = results.passed(host.outcome(package))
    done = guest.run_tests(rig, package, sorted(ordinary), exceptions.of(package.path), folder, bare)
    listed, _, output = done.output.partition(guest.LISTED)
    return Comparison(package.path, ordinary & set(listed.split()), results.passed(results.read(output)),
                      f"{done.output[-20000:]}\n{done.errors[-4000:]}")
