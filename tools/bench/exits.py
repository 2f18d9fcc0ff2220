"""What an exit costs, in ticks on Bochs: CPUID in the hypervisor, a port write to the device process and back.

The same guest runs over Linux's KVM on the same Bochs, in the same run: the peer.
"""

import re

from bench import peer
from bench.figure import Figure
from demo.command import run
from devtool import appliance, builder
from devtool.ui import Failure

SEED = 1
PEER = "KVM"
PEER_SECONDS = 300
FIGURES = {"cpuid_exit": "CPUID exit", "port_write_to_process": "port write to the device process and back"}


def parse(text: str, who: str) -> dict[str, float]:
    found = {name: float(value) for name, value in re.findall(r"^(\w+) (\d+)\r?$", text, re.MULTILINE)}
    if not FIGURES.keys() <= found.keys():
        raise Failure(f"no figures from {who}:\n{text[-2000:]}")
    return found


def measure_peer() -> dict[str, float]:
    with peer.start("bench-exits-kvm", seed=SEED, seconds=PEER_SECONDS) as machine:
        machine.wait_for(peer.END, PEER_SECONDS)
        return parse(machine.text(), PEER)


def measure() -> list[Figure]:
    appliance.prepare("bochs")
    builder.ensure(["bench-exits-skep"])
    theirs = measure_peer()
    program = builder.programs()["bench-exits-skep"]
    done = run("bochs", "/root/bench-exits-skep", add=[program], seed=SEED)
    if done.status != 0:
        raise Failure(f"bench-exits-skep ended with status {done.status}: {done.output}{done.errors}")
    ours = parse(done.output, "Skep")
    return [Figure(text, ours[name], "ticks").against(PEER, theirs[name]) for name, text in FIGURES.items()]
