"""The test suites: what each runs, and how many passed and failed."""

import os
import subprocess
import sys
import xml.etree.ElementTree as xml
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from devtool import appliance, builder, packages
from devtool.paths import BUILD, ROOT
from devtool.ui import Failure, say

# Debian's own: another python3 that comes first on PATH need not have pytest.
PYTHON = "/usr/bin/python3"
RESULTS = BUILD / "test"


@dataclass
class Outcome:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: "Outcome") -> "Outcome":
        return Outcome(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)


def read_junit(path: Path) -> Outcome:
    """Counts the test cases of a JUnit file."""
    outcome = Outcome()
    for case in xml.parse(path).getroot().iter("testcase"):
        results = {child.tag for child in case}
        if results & {"failure", "error"}:
            outcome.failed += 1
        elif "skipped" in results:
            outcome.skipped += 1
        else:
            outcome.passed += 1
    return outcome


def unit() -> Outcome:
    """The tests beside the code, natively under sanitizers. Each GoogleTest case counts."""
    builder.ensure(None)
    report = BUILD / "meson-logs" / "testlog.junit.xml"
    report.unlink(missing_ok=True)
    done = subprocess.run(["meson", "test", "-C", str(BUILD), "--no-rebuild", "--print-errorlogs",
                           f"--num-processes={os.cpu_count() or 1}"], stdin=subprocess.DEVNULL)
    if not report.is_file():
        if done.returncode == 0:
            return Outcome()
        raise Failure("`meson test` did not run", "tools/dev build")
    outcome = read_junit(report)
    # A test program that dies before it reports leaves no failed case.
    if done.returncode != 0 and outcome.failed == 0:
        outcome.failed = 1
    return outcome


def scenarios(name: str, *paths: str, rig: str | None = None) -> Callable[[], Outcome]:
    def run() -> Outcome:
        packages.need("build", "rig", "test")
        if rig:
            appliance.prepare(rig)
        report = RESULTS / f"{name}.xml"
        report.parent.mkdir(parents=True, exist_ok=True)
        report.unlink(missing_ok=True)
        command = [PYTHON, "-m", "pytest", "-p", "no:cacheprovider", "-v", "--tb=short", "--color=no",
                   f"--junitxml={report}", "-o", "junit_family=xunit2"]
        if rig:
            command.append(f"--rig={rig}")
        done = subprocess.run([*command, *paths], cwd=ROOT / "tests", stdin=subprocess.DEVNULL,
                              env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        if not report.is_file():
            raise Failure(f"pytest did not run (status {done.returncode})")
        return read_junit(report)

    return run


SUITES: dict[str, tuple[str, Callable[[], Outcome]]] = {
    "unit": ("unit tests of every folder, on this machine under sanitizers", unit),
    "tools": ("the tools themselves", scenarios("tools", "tools")),
    "exec-qemu": ("programs under the control kernel, on QEMU", scenarios("exec-qemu", "exec", rig="qemu")),
    "exec-bochs": ("the same on Bochs", scenarios("exec-bochs", "exec", rig="bochs")),
    "demo-qemu": ("whole appliances and guests, on QEMU (SVM)", scenarios("demo-qemu", "scenario", rig="qemu")),
    "demo-bochs": ("the same on Bochs (VT-x)", scenarios("demo-bochs", "scenario", rig="bochs")),
}


def run(names: list[str]) -> Outcome:
    total = Outcome()
    for name in names:
        text, suite = SUITES[name]
        say(f"== {name}: {text}")
        sys.stderr.flush()
        try:
            outcome = suite()
        except Failure as failure:
            say(f"{name}: {failure.message}")
            outcome = Outcome(failed=1)
        skipped = f", {outcome.skipped} skipped" if outcome.skipped else ""
        say(f"== {name}: {outcome.passed} passed, {outcome.failed} failed{skipped}")
        total += outcome
    return total
