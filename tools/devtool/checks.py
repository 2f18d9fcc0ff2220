"""The checks of `tools/dev check`; each returns its findings, one line each."""

import ast
import json
import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from devtool import builder, compat, packages, sources
from devtool.paths import BUILD, ROOT
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
        if folder == "hv" and total >= HV_LINES:
            findings.append(f"hv: {total} lines, to be under {HV_LINES}")
    for path in sources.files(sources.CODE):
        length = len(path.read_text(errors="replace").splitlines())
        if length > FILE_LINES:
            findings.append(f"{path.relative_to(ROOT)}: {length} lines, over {FILE_LINES}: split it")
    return findings


def names() -> list[str]:
    """clang-tidy with the naming rules, over every source of ours that the build compiles."""
    packages.need("check")
    builder.regenerate()
    compiled = json.loads((BUILD / "compile_commands.json").read_text())
    ours = set(sources.files({".cpp"}))
    paths = sorted(ours & {(BUILD / entry["file"]).resolve() for entry in compiled})

    # GCC 12's <expected> asks for a feature-test value that clang 14 does not claim, though it can do it.
    command = ["clang-tidy", "-p", str(BUILD), "--quiet", "--checks=-*,readability-identifier-naming",
               "--extra-arg=-Wno-everything", "--extra-arg=-U__cpp_concepts",
               "--extra-arg=-D__cpp_concepts=202002L"]

    def tidy(path: Path) -> list[str]:
        done = subprocess.run([*command, path], capture_output=True, text=True, cwd=ROOT)
        found = re.findall(r"^(\S+?:\d+:\d+: .*) \[readability-", done.stdout, re.MULTILINE)
        return [line.replace(f"{ROOT}/", "") for line in found]

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return sorted({line for result in pool.map(tidy, paths) for line in result})


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


CHECKS = {"compat": compat.stale, "format": format_, "lines": lines, "names": names, "proto": proto, "python": python}
