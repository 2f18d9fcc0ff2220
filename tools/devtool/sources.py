"""The sources of the tree, as git knows them."""

import subprocess
from pathlib import Path

from devtool.paths import ROOT

FOLDERS = ["hv", "kernel", "guestdev", "snapshot", "mgmt", "proto", "tests", "tools"]
CPP = {".cpp", ".hpp", ".h"}
CODE = CPP | {".S", ".ld", ".py", ".proto", ".sh", ".ts"}


def files(suffixes: set[str]) -> list[Path]:
    """Tracked and new files with one of the suffixes."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                            stdout=subprocess.PIPE, check=True).stdout.decode().split("\0")
    return [ROOT / name for name in sorted(listed)
            if Path(name).suffix in suffixes and (ROOT / name).is_file()]


def code_lines(path: Path) -> int:
    """Lines that are neither blank nor whole-line comments."""
    comment = "#" if path.suffix in {".py", ".sh"} else "//"
    lines = path.read_text(errors="replace").splitlines()
    return sum(1 for line in lines if line.strip() and not line.strip().startswith(comment))


def lines_per_folder() -> dict[str, tuple[int, int, int]]:
    """Folder: files, lines, lines of code."""
    result = {}
    for folder in FOLDERS:
        own = [path for path in files(CODE) if path.relative_to(ROOT).parts[0] == folder]
        result[folder] = (len(own), sum(len(path.read_text(errors="replace").splitlines()) for path in own),
                          sum(code_lines(path) for path in own))
    return result
