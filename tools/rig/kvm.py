"""Whether this host's KVM can run a hypervisor: /dev/kvm alone does not say so.

KVM lists the CPUID leaves that it can give to a guest; nesting works where VMX or SVM is among them
(Documentation/virt/kvm/api.rst, KVM_GET_SUPPORTED_CPUID).
"""

import fcntl
import os
import struct

KVM_CREATE_VM = 0xAE01
KVM_GET_SUPPORTED_CPUID = 0xC008AE05
ENTRIES = 256
# Leaf, register (3 EAX, 4 EBX, 5 ECX, 6 EDX in struct kvm_cpuid_entry2), bit.
VMX = (0x1, 5, 5)
SVM = (0x80000001, 5, 2)


def nested() -> bool:
    try:
        device = os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        os.close(fcntl.ioctl(device, KVM_CREATE_VM, 0))
        table = bytearray(struct.pack("=II", ENTRIES, 0) + bytes(40 * ENTRIES))
        fcntl.ioctl(device, KVM_GET_SUPPORTED_CPUID, table)
        count = struct.unpack_from("=I", table)[0]
        for number in range(count):
            entry = struct.unpack_from("=7I", table, 8 + 40 * number)
            for leaf, register, bit in (VMX, SVM):
                if entry[0] == leaf and entry[register] >> bit & 1:
                    return True
        return False
    except OSError:
        return False
    finally:
        os.close(device)
