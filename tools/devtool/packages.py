"""Distribution packages: reads tools/packages.txt and installs what is missing, and only that."""

import os
import subprocess

from devtool.paths import TOOLS
from devtool.ui import Failure, say

SETUP_HINT = "install them by hand, or run on Debian 12 as root or with sudo"


def sections() -> dict[str, list[str]]:
    result: dict[str, list[str]] = {}
    current: list[str] = []
    for line in (TOOLS / "packages.txt").read_text().splitlines():
        line = line.split("#")[0].strip()
        if line.startswith("["):
            current = result.setdefault(line.strip("[]"), [])
        elif line:
            current.append(line)
    return result


def missing(names: list[str]) -> list[str]:
    query = subprocess.run(["dpkg-query", "-W", "-f=${binary:Package} ${db:Status-Status}\n", *names],
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    installed = {line.split()[0].split(":")[0] for line in query.stdout.splitlines()
                 if line.endswith(" installed")}
    return [name for name in names if name not in installed]


def apt(*arguments: str) -> None:
    """apt-get as root, quiet unless it fails."""
    command = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=600", *arguments]
    if os.geteuid() != 0:
        command = ["sudo", "DEBIAN_FRONTEND=noninteractive", *command]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace")
    except FileNotFoundError as error:
        raise Failure(f"{command[0]}: not found", SETUP_HINT) from error
    if done.returncode != 0:
        raise Failure("\n".join(done.stdout.splitlines()[-20:]) + f"\n`{' '.join(command)}` failed", SETUP_HINT)


def need(*names: str) -> None:
    """Makes sure that the packages of these sections are there."""
    known = sections()
    wanted = sorted({package for name in names for package in known[name]})
    absent = missing(wanted)
    if not absent:
        return
    say(f"installing {len(absent)} packages: {' '.join(absent)}")
    apt("update")
    apt("install", "--no-install-recommends", *absent)
