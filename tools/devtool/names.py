"""The naming rules, by clang-tidy over every source of ours that the build compiles, and the headers they include.

What was found in a source is kept (build/check/names.json) until it, a header of ours that it includes, or the rules
change: the first run takes minutes, later ones seconds.
"""

import hashlib
import json
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from devtool import builder, packages, sources
from devtool.paths import BUILD, ROOT

KEPT = BUILD / "check" / "names.json"
FOLDERS = "hv|kernel|guestdev|snapshot|mgmt|tests"
# clang 14 does not know -std=c++23 by that name, and GCC 12's <expected> asks for a feature-test value that it does not
# claim. What it still cannot compile (deduction through std::expected) does not keep it from reading names.
COMMAND = ["clang-tidy", "-p", str(BUILD), "--quiet", "--checks=-*,readability-identifier-naming",
           f"--header-filter=[.][.]/({FOLDERS})/", "--extra-arg=-Wno-everything", "--extra-arg=-std=c++2b",
           "--extra-arg=-ferror-limit=0", "--extra-arg=-U__cpp_concepts", "--extra-arg=-D__cpp_concepts=202002L"]
FINDING = re.compile(r"^(\S+?):(\d+:\d+): \w+: (.*) \[readability-", re.MULTILINE)
FATAL = re.compile(r"^.*fatal error: .*$", re.MULTILINE)


def check() -> list[str]:
    packages.need("check")
    builder.regenerate()
    paths = compiled()
    keys = keys_of(paths)
    try:
        kept = json.loads(KEPT.read_text())
    except (FileNotFoundError, ValueError):
        kept = {}
    known = {name: entry for name, entry in kept.items() if keys.get(name) == entry["key"]}
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        asked = [path for path in paths if str(path) not in known]
        for path, findings in zip(asked, pool.map(look, asked)):
            if str(path) in keys:
                known[str(path)] = {"key": keys[str(path)], "findings": findings}
                keep(known)
            else:
                known[str(path)] = {"key": "", "findings": findings}
    return sorted({finding for entry in known.values() for finding in entry["findings"]})


def compiled() -> list[Path]:
    entries = json.loads((BUILD / "compile_commands.json").read_text())
    return sorted(set(sources.files({".cpp"})) & {(BUILD / entry["file"]).resolve() for entry in entries})


def keys_of(paths: list[Path]) -> dict[str, str]:
    """Of each source that was built: a digest of the rules and of all of ours that it is made of, as ninja knows it."""
    listed = subprocess.run(["ninja", "-C", str(BUILD), "-t", "deps"], capture_output=True, text=True).stdout
    rules = hashlib.sha256((ROOT / ".clang-tidy").read_bytes() + " ".join(COMMAND).encode()).hexdigest()
    digests: dict[str, str] = {}

    def digest(name: str) -> str:
        if name not in digests:
            path = BUILD / name
            digests[name] = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        return digests[name]

    wanted = {str(path) for path in paths}
    keys = {}
    for block in listed.split("\n\n"):
        names = [line.strip() for line in block.splitlines()[1:]]
        own = [name for name in names if not name.startswith("/")]
        source = str((BUILD / own[0]).resolve()) if own else ""
        if source in wanted:
            parts = "".join(f"{name} {digest(name)}\n" for name in sorted(own))
            keys[source] = hashlib.sha256((rules + parts).encode()).hexdigest()
    return keys


def look(path: Path) -> list[str]:
    done = subprocess.run([*COMMAND, path], capture_output=True, text=True, cwd=ROOT)
    findings = {f"{relative(name)}:{place}: {what}" for name, place, what in FINDING.findall(done.stdout)}
    findings |= {f"{path.relative_to(ROOT)}: clang-tidy cannot read it: {line.strip()}"
                 for line in FATAL.findall(done.stdout)}
    return sorted(findings)


def relative(name: str) -> str:
    path = Path(os.path.normpath(BUILD / name))
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else name


def keep(known: dict) -> None:
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    beside = KEPT.with_suffix(".tmp")
    beside.write_text(json.dumps(known))
    beside.replace(KEPT)
