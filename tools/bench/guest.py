"""The demonstration's guest, in ticks on Bochs: start to its first count, save with stop, restore, first count again.

All of it happens inside one appliance with its clock running free, so a repeated run gives the same figures, up to what
reading the clock from outside adds (about 0.1 M ticks). The peer is QEMU with KVM on Debian's kernel, on the same Bochs,
with the same guest; its snapshot is neither compressed nor holds the disk; ours does and is.
"""

from pathlib import Path

from bench import peer
from bench.figure import Figure
from demo import guest
from devtool import appliance
from devtool.paths import ROOT
from devtool.ui import Failure
from rig.machine import Config, Machine

SEED = 1
SECONDS = 900
MEMORY_MIB = 1536
PEER = "QEMU + KVM"
MARKS = ["start", "counting", "save", "saved", "restore", "restored", "goes-on"]
FIGURES = {
    "guest: start to its first count": ("start", "counting"),
    "guest: save with stop": ("save", "saved"),
    "guest: restore": ("restore", "restored"),
    "guest: restore to its next count": ("restore", "goes-on"),
}


def read_marks(machine: Machine, who: str) -> dict[str, int]:
    """The ticks at each mark; the last ones come after the last figure."""
    ticks = {}
    for mark in MARKS:
        got = machine.wait_for(r"^mark (failed )?(\S+)\r?\n", SECONDS)
        if got[1] or got[2].decode() != mark:
            raise Failure(f"{who} failed before {mark!r}:\n{machine.text()[-2000:]}")
        ticks[mark] = machine.ticks()
    return ticks


def measure_peer(made: guest.Guest) -> dict[str, int]:
    archive = peer.qemu()
    archive.file("guest/vmlinuz", made.kernel.read_bytes())
    archive.file("guest/initrd", made.initrd.read_bytes())
    with peer.start("bench-guest-qemu", made.command_line, seed=SEED, seconds=SECONDS, memory_mib=MEMORY_MIB,
                    add=archive) as machine:
        return read_marks(machine, PEER)


def measure() -> list[Figure]:
    appliance.prepare("bochs")
    made = guest.make()
    theirs = measure_peer(made)
    script = ROOT / "tests" / "bench" / "guest.sh"
    image = appliance.Appliance(
        extras=[f"{path}:/root/{Path(path).name}" for path in (script, made.kernel, made.initrd)],
        command=["sh", "/root/guest.sh", made.command_line]).image("bench-guest")
    with appliance.start("bochs", Config(image, seed=SEED, time_limit=SECONDS, memory_mib=MEMORY_MIB)) as machine:
        ours = read_marks(machine, "Skep")
    return [Figure(name, ours[end] - ours[start], "ticks").against(PEER, theirs[end] - theirs[start])
            for name, (start, end) in FIGURES.items()]
