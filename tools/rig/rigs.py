"""The rigs by name, and which one to take when none is named."""

from rig import kvm
from rig.bochs import BochsMachine
from rig.machine import Config, Machine, RigError
from rig.qemu import KvmMachine, QemuMachine

RIGS: dict[str, type[Machine]] = {"qemu": QemuMachine, "bochs": BochsMachine, "kvm": KvmMachine}


def default() -> str:
    """The fastest that is there and can run a hypervisor."""
    return "kvm" if kvm.nested() else "qemu"


def start(rig: str, config: Config) -> Machine:
    if rig == "kvm" and not kvm.nested():
        raise RigError("KVM of this host does not nest: use --rig qemu or --rig bochs")
    return RIGS[rig](config).start()
