"""`tools/dev exec` for tests: one command in an appliance of its own. With SKEP_CHECKS=1 its kernel is the checked one."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from devtool.paths import TOOLS


@dataclass
class Done:
    status: int
    output: str
    errors: str


def run(rig: str, *command: str, bare: bool = False, cpus: int = 1, add: list[str | Path] = (),
        time_limit: float = 300, seed: int | None = None, memory: int = 1024) -> Done:
    options = ["--rig", rig, "--cpus", str(cpus), "--memory", str(memory), "--time-limit", str(time_limit)]
    options += ["--bare"] if bare else []
    options += ["--checks"] if os.environ.get("SKEP_CHECKS") else []
    options += ["--seed", str(seed)] if seed is not None else []
    for extra in add:
        options += ["--add", str(extra)]
    done = subprocess.run([TOOLS / "dev", "exec", *options, "--", *command], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, errors="replace")
    return Done(done.returncode, done.stdout, done.stderr)
