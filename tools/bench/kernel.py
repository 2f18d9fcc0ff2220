"""What the control kernel's services cost, in ticks on Bochs, as hv's root domain.

The same static program runs on Debian's kernel on the same Bochs, in the same run: the peer (mitigations off).
"""

import re

from bench import peer
from bench.figure import Figure
from demo.command import run
from devtool import appliance, builder
from devtool.paths import BUILD
from devtool.ui import Failure

SEED = 1
PEER = "Linux"
SECONDS = 900
MEMORY_KIB = 1024 * 1024
FIGURES = {
    "null_call": "null system call",
    "pipe_switch": "context switch through a pipe",
    "fork_exec_wait": "fork, exec and wait of a static program",
    "page_fault": "page fault",
    "pipe_64k": "64 KiB through a pipe",
    "event_wake": "epoll wake-up",
    "since_boot": "kernel entry to the first program",
}


def parse(text: str, who: str) -> dict[str, float]:
    found = {name: float(value) for name, value in re.findall(r"^(\w+) (\d+)\r?$", text, re.MULTILINE)}
    if not {*FIGURES, "memory_free"} <= found.keys():
        raise Failure(f"no figures from {who}:\n{text[-2000:]}")
    return found


def measure_peer() -> dict[str, float]:
    with peer.start("bench-kernel", seed=SEED, seconds=SECONDS) as machine:
        machine.wait_for(peer.END, SECONDS)
        return parse(machine.text(), PEER)


def measure() -> list[Figure]:
    appliance.prepare("bochs")
    builder.ensure(["bench-kernel"])
    theirs = measure_peer()
    # One program before any other: `skep-exec` starts it from init.
    done = run("bochs", "/root/bench-kernel", add=[builder.programs()["bench-kernel"]], seed=SEED, time_limit=SECONDS)
    if done.status != 0:
        raise Failure(f"bench-kernel ended with status {done.status}: {done.output}{done.errors}")
    ours = parse(done.output, "Skep")
    figures = [Figure(text, ours[name], "ticks").against(PEER, theirs[name]) for name, text in FIGURES.items()]
    # What neither a program nor the archive of files has: hv's memory included, the archive not.
    log = max((BUILD / "exec").glob("*.log"), key=lambda path: path.stat().st_mtime).read_text(errors="replace")
    archive = re.search(r"module root: (\d+) KiB", log)
    if archive:
        figures.append(Figure("memory in use beside the archive, hv's included", MEMORY_KIB - ours["memory_free"] - int(archive[1]), "KiB"))
    return figures
