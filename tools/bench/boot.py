"""From power-on and from GRUB to the API's answer: in ticks on Bochs, in seconds on QEMU."""

from bench.figure import Figure
from demo.host import READY
from devtool import appliance
from devtool.ui import Stopwatch
from rig.machine import Config

SEED = 1
SECONDS = 600


def measure() -> list[Figure]:
    image = appliance.Appliance().image("appliance")
    appliance.prepare("bochs")
    figures = []
    with appliance.start("bochs", Config(image, seed=SEED, time_limit=SECONDS)) as machine:
        # The first thing on the serial line is GRUB clearing it.
        machine.wait_for(r".", SECONDS)
        grub = machine.ticks()
        machine.wait_for(READY, SECONDS)
        ready = machine.ticks()
        figures.append(Figure("Bochs: GRUB to API ready", ready - grub, "ticks"))
        figures.append(Figure("Bochs: power-on to API ready", ready, "ticks"))
    with appliance.start("qemu", Config(image, time_limit=SECONDS)) as machine:
        machine.wait_for(r".", SECONDS)
        watch = Stopwatch()
        machine.wait_for(READY, SECONDS)
        figures.append(Figure("QEMU TCG: GRUB to API ready", round(watch.seconds(), 2), "s"))
    return figures
