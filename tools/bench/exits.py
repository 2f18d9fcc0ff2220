"""What an exit costs, in ticks on Bochs: CPUID in the hypervisor, a port write to the device process and back.

The same guest runs over Linux's KVM on the same Bochs, in the same run: the peer.
"""

import re

from bench.figure import Figure
from demo import guest, linux
from demo.command import run
from devtool import appliance, builder
from devtool.paths import BUILD
from devtool.ui import Failure
from image import iso
from rig.machine import Config

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
    program = builder.programs()["bench-exits-kvm"]
    initrd = guest.initramfs(program, ["kvm_intel"], f"/bin/{program.name}; echo bench: end; busybox poweroff -f")
    image = iso.build(iso.LinuxBoot(linux.kernel(), initrd, "console=ttyS0 quiet mitigations=off panic=-1"),
                      BUILD / "image" / "bench-kvm.iso")
    with appliance.start("bochs", Config(image, seed=SEED, time_limit=PEER_SECONDS)) as machine:
        machine.wait_for("^bench: end", PEER_SECONDS)
        return parse(machine.text(), PEER)


def measure() -> list[Figure]:
    appliance.prepare("bochs")
    builder.ensure(["bench-exits-kvm", "bench-exits-skep"])
    peer = measure_peer()
    program = builder.programs()["bench-exits-skep"]
    done = run("bochs", "/root/bench-exits-skep", add=[program], seed=SEED)
    if done.status != 0:
        raise Failure(f"bench-exits-skep ended with status {done.status}: {done.output}{done.errors}")
    ours = parse(done.output, "Skep")
    return [Figure(text, ours[name], "ticks").against(PEER, peer[name]) for name, text in FIGURES.items()]
