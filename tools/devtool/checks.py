"""The checks of `tools/dev check`; each returns its findings, one line each."""

import ast
import re
import shutil
import subprocess
from pathlib import Path

from devtool import compat, names, packages, sources
from devtool.paths import ROOT
from devtool.ui import say

HV_LINES = 10_000
FILE_LINES = 600


def format_() -> list[str]:
    packages.need("check")
    paths = sources.files(sources.CPP)
    done = subprocess.run(["clang-format", "--dry-run", *paths], capture_output=True, text=True)
    badly = sorted({match[1] for match in re.finditer(r"^(\S+?):\d+:\d+: warning:", done.stderr, re.MULTILINE)})
    return [f"{Path(path).relative_to(ROOT)}: not formatted (tools/dev fmt)" for path in badly]


def lines() -> list[str]:
    findings = []
    for folder, (count, total, code) in sources.lines_per_folder().items():
        print(f"{folder:10} {count:5} files {total:7} lines {code:7} of code")
    trusted = [path for path in sources.files(sources.CODE) if is_trusted(path.relative_to(ROOT))]
    code = sum(sources.code_lines(path) for path in trusted)
    print(f"hv without its tests: {code} lines of code, {sum(length(path) for path in trusted)} with comments and blanks")
    if code >= HV_LINES:
        findings.append(f"hv: {code} lines of code without its tests, to be under {HV_LINES}")
    for path in sources.files(sources.CODE):
        if length(path) > FILE_LINES:
            findings.append(f"{path.relative_to(ROOT)}: {length(path)} lines, over {FILE_LINES}: split it")
    return findings


def length(path: Path) -> int:
    return len(path.read_text(errors="replace").splitlines())


def is_trusted(path: Path) -> bool:
    """What is in the hypervisor's image."""
    return path.parts[:1] == ("hv",) and path.parts[1] != "selftest" and not path.stem.endswith("_test")


def readmes() -> list[str]:
    """A folder that somebody enters opens with a README."""
    folders = {path.parent for path in sources.files(sources.CODE)}
    return [f"{folder.relative_to(ROOT)}: no README.md" for folder in sorted(folders)
            if not (folder / "README.md").is_file() and folder != ROOT]


def proto() -> list[str]:
    """buf's rules, where npm is there to bring buf."""
    if not shutil.which("npm"):
        say("proto: no npm here, so no buf: not checked")
        return []
    done = subprocess.run(["npm", "exec", "--yes", "--package=@bufbuild/buf", "--", "buf", "lint"],
                          cwd=ROOT / "proto", capture_output=True, text=True)
    if done.returncode == 0:
        return []
    return [f"proto/{line}" for line in (done.stdout or done.stderr).splitlines() if line]


def python() -> list[str]:
    findings = []
    for path in sources.files({".py"}):
        try:
            ast.parse(path.read_text(), str(path))
        except SyntaxError as error:
            findings.append(f"{path.relative_to(ROOT)}:{error.lineno}: {error.msg}")
    return findings


CHECKS = {"compat": compat.stale, "format": format_, "lines": lines, "readmes": readmes, "proto": proto,
          "python": python, "names": names.check}
