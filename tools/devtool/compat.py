"""docs/compat: which system calls each personality has, made from the tables under kernel/abi."""

import re
from dataclasses import dataclass
from pathlib import Path

from devtool.paths import ROOT

ABI = ROOT / "kernel" / "abi"
PAGES = ROOT / "docs" / "compat"
# A row of a table: {number, "name", arguments, handler[, status[, note]]}.
LITERAL = r'"(?:[^"\\]|\\.)*"(?:\s*"(?:[^"\\]|\\.)*")*'  # or several, which the compiler joins
ROW = re.compile(r'\{\s*(\d+),\s*"([^"]+)",\s*(\d+),\s*[^{}"]+?(?:,\s*SyscallStatus::(\w+)(?:,\s*(' + LITERAL +
                 r'|k\w+))?)?\s*\},')
TEXT = re.compile(rf'constexpr std::string_view (k\w+) =\s*({LITERAL});')
STATUS = {None: "full", "Full": "full", "Partial": "partial", "Ignored": "accepted, does nothing"}


@dataclass
class Call:
    number: int
    name: str
    arguments: int
    status: str
    note: str


@dataclass
class Kind:
    name: str
    folder: str
    page: str
    all_calls: Path
    source: str


KINDS = [
    Kind("FreeBSD", "freebsd", "freebsd-syscalls.md", ABI / "freebsd" / "all_calls.txt", "FreeBSD 14"),
    Kind("Linux", "linux", "linux-syscalls.md", ABI / "linux" / "all_calls.txt", "Linux 6.1"),
]


def value(literal: str) -> str:
    return re.sub(r'"\s*"', "", literal[1:-1]).replace('\\"', '"')


def rows(path: Path) -> list[Call]:
    text = path.read_text()
    names = {name: value(literal) for name, literal in TEXT.findall(text)}
    calls = []
    for number, name, arguments, status, note in ROW.findall(text):
        note = value(note) if note.startswith('"') else names.get(note, note)
        calls.append(Call(int(number), name, int(arguments), STATUS[status or None], note))
    return calls


def table(kind: Kind) -> dict[int, Call]:
    calls: dict[int, Call] = {}
    for path in sorted((ABI / kind.folder).glob("*.cpp")):
        if path.name.endswith("_test.cpp"):
            continue
        for call in rows(path):
            if call.number in calls:
                raise ValueError(f"{path.name}: {kind.name} call {call.number} is listed twice")
            calls[call.number] = call
    return calls


def known(kind: Kind) -> dict[int, str]:
    lines = (line.split() for line in kind.all_calls.read_text().splitlines() if line and not line.startswith("#"))
    return {int(number): name for number, name in lines}


def page(kind: Kind) -> str:
    calls = table(kind)
    missing = {number: name for number, name in known(kind).items() if number not in calls}
    count = {status: sum(call.status == status for call in calls.values()) for status in STATUS.values()}
    out = [
        f"# System calls of the {kind.name} personality",
        "",
        f"Made by `tools/dev fmt` from the tables in `kernel/abi/{kind.folder}`; do not edit.",
        "",
        f"{count['full']} as documented, {count['partial']} in part, {count['accepted, does nothing']} accepted without effect; "
        f"{len(missing)} of {kind.source}'s are missing and fail with ENOSYS (named once in the kernel's log).",
        "",
        "| number | call | arguments | status | what is missing |",
        "|---:|---|---:|---|---|",
    ]
    out += [f"| {c.number} | `{c.name}` | {c.arguments} | {c.status} | {c.note} |" for _, c in sorted(calls.items())]
    out += ["", "## Missing", "", ", ".join(f"{name} ({number})" for number, name in sorted(missing.items())), ""]
    return "\n".join(out)


def go_tests() -> str:
    """docs/compat/freebsd-go-tests.md, of the list that the suite go-std reads."""
    lines = [line for line in (ROOT / "tests" / "go-std" / "exceptions.txt").read_text().splitlines()
             if line and not line.startswith("#")]
    rows_ = []
    for line in lines:
        head, _, reason = line.partition(": ")
        *skip, package, test = head.split()
        rows_.append((package, test, "not run" if skip else "does not pass", reason))
    out = [
        "# Go's own tests as FreeBSD programs",
        "",
        "Made by `tools/dev fmt` from `tests/go-std/exceptions.txt`; do not edit.",
        "",
        "The test functions of Go's library that pass on an ordinary host and do not in the control kernel, each with its "
        "reason. Every other one passes (`tools/dev test go-std`).",
        "",
        "| package | test | here | reason |",
        "|---|---|---|---|",
    ]
    out += [f"| `{package}` | `{test}` | {here} | {reason} |" for package, test, here, reason in rows_]
    return "\n".join([*out, ""])


def pages() -> dict[Path, str]:
    return {**{PAGES / kind.page: page(kind) for kind in KINDS}, PAGES / "freebsd-go-tests.md": go_tests()}


def write() -> None:
    PAGES.mkdir(parents=True, exist_ok=True)
    for path, text in pages().items():
        if not path.is_file() or path.read_text() != text:
            path.write_text(text)


def stale() -> list[str]:
    return [f"{path.relative_to(ROOT)}: not what the tables say (tools/dev fmt)" for path, text in pages().items()
            if not path.is_file() or path.read_text() != text]
