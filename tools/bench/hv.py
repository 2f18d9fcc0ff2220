"""What hv's own paths cost on VT-x, in ticks (instructions) on Bochs, and its memory with four CPUs and no guest.

hv's self-test is the root domain and measures; KVM's CPUID exit is measured on the same Bochs.
"""

import re

from bench import exits
from bench.figure import Figure
from devtool import appliance, builder
from devtool.paths import BUILD
from devtool.ui import Failure
from image import iso
from image.cpio import Archive
from rig.machine import Config

SEED = 1
SECONDS = 600
# Not the rig's own processor, but one with page-modification logging.
LISTING = "corei7_skylake_x"
# name: (text, unit, divisor, CPUs of the machine, the most that it may be)
FIGURES = {
    "cpuid_exit": ("CPUID exit, round trip", "ticks", 1, 1, 200),
    "exit_to_root": ("exit to the root domain and back into the guest", "ticks", 1, 1, 600),
    "page_on_demand": ("second-level fault on a page given on demand, and back", "ticks", 1, 1, 1000),
    "page_in_dirty_log": ("first write to a 4 KiB page that the dirty log watches", "ticks", 1, 1, None),
    "harvest": ("dirty log of 512 MiB of 4 KiB pages, of which 16 were written", "ticks", 1, 1, None),
    "ipi": ("IPI to a running vCPU, send to handler", "ticks", 1, 2, None),
    "memory_kib_used": ("hv's memory in use, 4 CPUs and no guest", "MiB", 1024, 4, 8),
    "memory_kib_taken": ("memory that hv keeps from the start", "MiB", 1024, 4, 8),
}


def run(cpus: int, model: str | None = None) -> dict[str, float]:
    programs = builder.programs()
    root = Archive()
    root.folder("etc")
    boot = iso.Boot(kernel=programs["hv-selftest"], root=root, hv=programs["hv"], kernel_arguments=["only=cost"])
    image = iso.build(boot, BUILD / "image" / f"hv-bench-{cpus}.iso")
    with appliance.start("bochs", Config(image, cpus=cpus, memory_mib=512, seed=SEED, time_limit=SECONDS,
                                          cpu_model=model)) as machine:
        machine.wait_for(r"^hv-selftest: \d+ passed, 0 failed", SECONDS)
        found = re.findall(r"^hv-bench: (\w+) (\d+)\r?$", machine.text(), re.MULTILINE)
    return {name: float(value) for name, value in found}


def measure() -> list[Figure]:
    appliance.prepare("bochs")
    builder.ensure(["hv", "hv-selftest"])
    peer = exits.measure_peer()
    measured = {cpus: run(cpus) for cpus in sorted({entry[3] for entry in FIGURES.values()})}
    listing = run(1, LISTING)
    figures = []
    for name, (text, unit, divisor, cpus, most) in FIGURES.items():
        if name not in measured[cpus]:
            raise Failure(f"the self-test did not say `hv-bench: {name}`")
        value = measured[cpus][name] / divisor
        figure = Figure(text, round(value, 2), unit)
        figures.append(figure.against("goal", most) if most else figure)
        if name == "harvest":
            figures.append(Figure("the same, where the CPU lists what was written", listing[name] / divisor, unit))
        if name == "cpuid_exit":
            figures.append(Figure("the same", round(value, 2), unit).against(exits.PEER, peer[name]))
    return figures
