"""The test suites: what each runs, and how many passed and failed."""

import json
import os
import shutil
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
# Folders of tests/ that boot machines of their own.
SYSTEM = ["vmm", "net", "exec", "files", "freebsd", "fuzz-syscalls", "load"]
# What concerns the kernel alone; kernel/ boots both emulators itself.
KERNEL = ["kernel", "vmm", "exec", "files", "freebsd", "holds", "fuzz-syscalls", "load"]
FUZZ = "fuzz-syscalls/test_fuzz.py::test_random_calls[4]"
REPEAT = "scenario/test_repeat.py"
SCENARIOS = ["scenario", f"--ignore={REPEAT}"]
GO_STD = "go-std/test_go_std.py"
# The quick packages: a minute, where all take half an hour and more.
GO_STD_SHORT = "go-std/test_short.py"
RESULTS = BUILD / "test"
# Under these the control kernel panics at undefined behaviour and at locks taken out of order.
CHECKS = {"SKEP_CHECKS": "1"}


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
        elif "skipped" in results or case.get("result") == "skipped":
            outcome.skipped += 1
        else:
            outcome.passed += 1
    return outcome


def unit() -> Outcome:
    """The tests beside the code, natively under sanitizers. Each GoogleTest case counts."""
    builder.ensure(None)
    reports = RESULTS / "unit"
    shutil.rmtree(reports, ignore_errors=True)
    reports.mkdir(parents=True)
    log = BUILD / "meson-logs" / "testlog.json"
    log.unlink(missing_ok=True)
    # With a folder's name GoogleTest writes PROGRAM.xml into it.
    subprocess.run(["meson", "test", "-C", str(BUILD), "--no-rebuild", "--print-errorlogs",
                    f"--num-processes={os.cpu_count() or 1}"],
                   env={**os.environ, "GTEST_OUTPUT": f"xml:{reports}/"}, stdin=subprocess.DEVNULL)
    if not log.is_file():
        raise Failure("`meson test` did not run", "tools/dev build")
    total = Outcome()
    for line in log.read_text().splitlines():
        total += of_program(json.loads(line), reports)
    return total


def of_program(result: dict, reports: Path) -> Outcome:
    """The cases of one test program; one that is no GoogleTest program, or that dies, counts as one."""
    report = reports / f"{Path(result['command'][0]).name}.xml"
    fine = result["result"] in ("OK", "EXPECTEDFAIL", "SKIP")
    if not report.is_file():
        return Outcome(passed=1) if fine else Outcome(failed=1)
    outcome = read_junit(report)
    if not fine and not outcome.failed:
        outcome.failed = 1
    return outcome


def scenarios(name: str, *paths: str, rig: str | None = None, **environment: str) -> Callable[[], Outcome]:
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
                              env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment})
        if not report.is_file():
            raise Failure(f"pytest did not run (status {done.returncode})")
        return read_junit(report)

    return run


SUITES: dict[str, tuple[str, Callable[[], Outcome]]] = {
    "unit": ("unit tests of every folder, on this machine under sanitizers", unit),
    "tools": ("the tools themselves", scenarios("tools", "tools")),
    "hv": ("hv's self-test on Bochs (VT-x) and QEMU (SVM), with one and four CPUs, by BIOS and UEFI",
           scenarios("hv", "hv")),
    "system-qemu": ("kernel, network and programs, on QEMU", scenarios("system-qemu", *SYSTEM, GO_STD_SHORT, rig="qemu", **CHECKS)),
    "system-bochs": ("the same on Bochs", scenarios("system-bochs", *SYSTEM, rig="bochs", **CHECKS)),
    "kernel": ("the control kernel: on both emulators under hv, on QEMU without it, and what it withstands",
               scenarios("kernel", *KERNEL, rig="qemu", **CHECKS)),
    "fuzz-qemu": ("10 million random system calls, on QEMU",
                  scenarios("fuzz-qemu", FUZZ, rig="qemu", SKEP_FUZZ_CALLS="10000000", **CHECKS)),
    "fuzz-bochs": ("one million random system calls, on Bochs",
                   scenarios("fuzz-bochs", FUZZ, rig="bochs", SKEP_FUZZ_CALLS="1000000", **CHECKS)),
    "holds-bochs": ("programs that take all there is, on Bochs", scenarios("holds-bochs", "holds", rig="bochs", **CHECKS)),
    "demo-qemu": ("whole appliances and guests, on QEMU (SVM)", scenarios("demo-qemu", *SCENARIOS, rig="qemu")),
    "demo-bochs": ("the same on Bochs (VT-x)", scenarios("demo-bochs", *SCENARIOS, rig="bochs")),
    "repeat-qemu": ("20 saves and restores at random moments, on QEMU",
                    scenarios("repeat-qemu", REPEAT, rig="qemu")),
    "go-std": ("Go's own tests of its library, as FreeBSD programs, on QEMU", scenarios("go-std", GO_STD, rig="qemu")),
    "repeat-bochs": ("the same on Bochs", scenarios("repeat-bochs", REPEAT, rig="bochs")),
}
# What takes its time, or is part of another one, is asked for by name.
NAMED = ["kernel", "fuzz-qemu", "fuzz-bochs", "holds-bochs", "go-std", "repeat-qemu", "repeat-bochs"]
DEFAULT = [name for name in SUITES if name not in NAMED]


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
