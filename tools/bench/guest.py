"""The demonstration's guest, in ticks on Bochs: start to its first count, save with stop, restore, first count again.

All of it happens inside one appliance with its clock running free, so a repeated run gives the same figures, up to what
reading the clock from outside adds (about 0.1 M ticks).
"""

from pathlib import Path

from bench.figure import Figure
from demo import guest
from devtool import appliance
from devtool.paths import ROOT
from devtool.ui import Failure
from rig.machine import Config

SEED = 1
SECONDS = 900
MARKS = ["start", "counting", "save", "saved", "restore", "restored", "goes-on"]
FIGURES = {
    "guest: start to its first count": ("start", "counting"),
    "guest: save with stop": ("save", "saved"),
    "guest: restore": ("restore", "restored"),
    "guest: restore to its next count": ("restore", "goes-on"),
}


def measure() -> list[Figure]:
    appliance.prepare("bochs")
    made = guest.make()
    script = ROOT / "tests" / "bench" / "guest.sh"
    image = appliance.Appliance(
        extras=[f"{path}:/root/{Path(path).name}" for path in (script, made.kernel, made.initrd)],
        command=["sh", "/root/guest.sh", made.command_line]).image("bench-guest")
    ticks = {}
    with appliance.start("bochs", Config(image, seed=SEED, time_limit=SECONDS, memory_mib=1536)) as machine:
        for mark in MARKS:
            got = machine.wait_for(r"^mark (failed )?(\S+)\r?$", SECONDS)
            if got[1] or got[2].decode() != mark:
                raise Failure(f"the guest's benchmark failed before {mark!r}:\n{machine.text()[-2000:]}")
            ticks[mark] = machine.ticks()
    return [Figure(name, ticks[end] - ticks[start], "ticks") for name, (start, end) in FIGURES.items()]
