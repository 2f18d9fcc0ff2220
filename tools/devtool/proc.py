"""Runs the programs the tools need; an error shows the end of their output."""

import os
import subprocess
from pathlib import Path

from devtool.ui import Failure

TAIL_LINES = 40


def run(command: list, *, cwd: Path | None = None, env: dict | None = None, hint: str = "",
        log: Path | None = None, live: bool = False, capture: bool = True) -> str:
    """Runs a command to its end and returns its output (stdout and stderr).

    `live` leaves the output on the terminal; `log` keeps it in a file. A status other than 0 is a Failure.
    """
    command = [str(word) for word in command]
    environment = {**os.environ, **(env or {})}
    try:
        if live:
            done = subprocess.run(command, cwd=cwd, env=environment)
            output = ""
        else:
            done = subprocess.run(command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  errors="replace")
            output = done.stdout
    except FileNotFoundError as error:
        raise Failure(f"{command[0]}: not found", "tools/dev setup") from error
    if log:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(output)
    if done.returncode != 0:
        tail = "\n".join(output.splitlines()[-TAIL_LINES:])
        shown = " ".join(command[:6]) + (" ..." if len(command) > 6 else "")
        raise Failure(f"{tail}\n`{shown}` ended with status {done.returncode}".lstrip(), hint)
    return output
