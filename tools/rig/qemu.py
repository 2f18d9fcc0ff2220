"""The QEMU rigs: SVM with nested paging by TCG, or a nested KVM of the host."""

import os
import shutil
import subprocess
from pathlib import Path

from rig.machine import Machine

QEMU = "qemu-system-x86_64"
OVMF_CODE = Path("/usr/share/OVMF/OVMF_CODE.fd")
OVMF_VARS = Path("/usr/share/OVMF/OVMF_VARS.fd")


class QemuMachine(Machine):
    """i440fx PC, virtio-net on the user network (the machine is 10.0.2.15), virtio-blk disks."""

    rig = "qemu"

    def accelerator(self) -> list[str]:
        return ["-accel", "tcg", "-cpu", "max,+svm,+npt"]

    def command(self) -> list[str]:
        config = self.config
        forwards = "".join(f",hostfwd=tcp:127.0.0.1:{host}-10.0.2.15:{guest}"
                           for guest, host in self.ports.items())
        command = [QEMU, *self.accelerator(), "-M", "pc", "-m", str(config.memory_mib),
                   "-smp", str(config.cpus), "-display", "none", "-no-reboot", "-monitor", "none",
                   "-chardev", "stdio,id=com1,signal=off", "-serial", "chardev:com1",
                   # SeaBIOS reads an AHCI drive by DMA, an IDE one by port: three times slower under TCG.
                   "-device", "ahci,id=ahci", "-device", "ide-cd,drive=cd,bus=ahci.0,bootindex=0",
                   "-drive", f"file={config.image},if=none,id=cd,format=raw,readonly=on",
                   "-netdev", f"user,id=net0{forwards}",
                   "-device", "virtio-net-pci,netdev=net0,romfile="]
        for number, disk in enumerate(config.disks):
            command += ["-drive", f"file={disk},format=raw,if=none,id=disk{number}",
                        "-device", f"virtio-blk-pci,drive=disk{number}"]
        if config.uefi:
            variables = self.folder / "OVMF_VARS.fd"
            shutil.copyfile(OVMF_VARS, variables)
            command += ["-drive", f"if=pflash,format=raw,readonly=on,file={OVMF_CODE}",
                        "-drive", f"if=pflash,format=raw,file={variables}"]
        return command + config.extra

    def stdin(self):
        return subprocess.PIPE

    def stdout(self):
        return subprocess.PIPE

    def open_serial(self) -> None:
        self.serial_in = os.fdopen(os.dup(self.process.stdin.fileno()), "wb", buffering=0)
        self.serial_out = self.process.stdout.fileno()


class KvmMachine(QemuMachine):
    rig = "kvm"

    def accelerator(self) -> list[str]:
        return ["-accel", "kvm", "-cpu", "host"]
