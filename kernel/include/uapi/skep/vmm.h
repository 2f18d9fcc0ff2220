// The /dev/vmm interface of the control kernel: how a process owns a guest.
//
// /dev/vmmctl   create and destroy guests (privileged): VMMCTL_*
// /dev/vmm/NAME one guest: VMM_* ioctls, mmap of guest memory at offset = guest-physical address,
// and
//               of vCPU i's VcpuPage at offset VMM_PAGE_OFFSET + i * 4096. A guest lives from
//               VMMCTL_CREATE until VMMCTL_DESTROY; the last close of its node stops its vCPUs.
//
// Every call returns 0 or -1 with errno as FreeBSD and Linux number it: EINVAL, ENOENT, EEXIST,
// ENOMEM, EBUSY, EPERM, EFAULT, EINTR, EOPNOTSUPP.
#pragma once

#include <hv/abi/hypercall.hpp>
#include <hv/abi/vcpu.hpp>

#include <stdint.h>

namespace skep::uapi {

inline constexpr unsigned kVmNameMax = 64;  // with the NUL; [a-z0-9-]+

// ioctl numbers in Linux's _IOC encoding (direction, size, group 'v', number); both personalities
// pass them through unchanged.
inline constexpr unsigned long vmm_ioctl(unsigned dir, unsigned number, unsigned size) {
    return static_cast<unsigned long>(dir) << 30 | size << 16 | 'v' << 8 | number;
}
inline constexpr unsigned kDirNone = 0, kDirIn = 1, kDirOut = 2, kDirInOut = 3;

struct VmmCreate {
    char name[kVmNameMax];
};
struct VmmDestroy {
    char name[kVmNameMax];
};
// RAM of `size` bytes (multiple of 2 MiB) at `gpa` (same), zeroed, mapped read/write/execute.
struct VmmMemAdd {
    uint64_t gpa, size;
};
struct VmmVcpu {
    uint32_t index, reserved;
};
// Pointers are user addresses as 64-bit numbers so that the layout does not depend on the
// personality.
struct VmmFields {
    uint32_t index, count;  // count <= 256
    uint64_t fields;        // skep::abi::FieldValue[count]
};
struct VmmBlob {           // XSAVE area or APIC page
    uint32_t index, size;  // in: capacity; out of GET: bytes used
    uint64_t data;
};
struct VmmCpuid {
    uint32_t count, reserved;  // <= 128; out of SUPPORTED: how many there are
    uint64_t entries;          // skep::abi::CpuidEntry[count]
};
struct VmmMsi {
    uint64_t address;
    uint32_t data, reserved;
};
struct VmmInject {
    uint32_t index, kind;  // skep::abi::InjectKind
    uint32_t vector, error_code;
};
struct VmmDirtyLog {
    uint64_t gpa, size;
    uint32_t op, reserved;  // skep::abi::DirtyLogOp
    uint64_t bitmap;        // size / 4096 bits, rounded up to 8 bytes
};
struct VmmHostInfo {
    skep::abi::HostInfo host;
    uint64_t tsc_frequency;  // Hz, as the kernel calibrated it
};

// On /dev/vmmctl
inline constexpr unsigned long VMMCTL_CREATE = vmm_ioctl(kDirIn, 1, sizeof(VmmCreate));
inline constexpr unsigned long VMMCTL_DESTROY = vmm_ioctl(kDirIn, 2, sizeof(VmmDestroy));

// On both
inline constexpr unsigned long VMM_HOST_INFO = vmm_ioctl(kDirOut, 8, sizeof(VmmHostInfo));
inline constexpr unsigned long VMM_SUPPORTED_CPUID = vmm_ioctl(kDirInOut, 9, sizeof(VmmCpuid));

// On /dev/vmm/NAME
inline constexpr unsigned long VMM_MEM_ADD = vmm_ioctl(kDirIn, 16, sizeof(VmmMemAdd));
inline constexpr unsigned long VMM_SET_CPUID = vmm_ioctl(kDirIn, 17, sizeof(VmmCpuid));
inline constexpr unsigned long VMM_MSI = vmm_ioctl(kDirIn, 18, sizeof(VmmMsi));
inline constexpr unsigned long VMM_DIRTY_LOG = vmm_ioctl(kDirIn, 19, sizeof(VmmDirtyLog));
inline constexpr unsigned long VMM_VCPU_CREATE = vmm_ioctl(kDirIn, 32, sizeof(VmmVcpu));
// Runs the vCPU on the calling thread. Returns 0 when the VcpuPage holds an exit for the owner:
// Interrupted, TimerArmed, WakeVcpus and Hlt are finished in the kernel (Hlt sleeps until an
// interrupt). EINTR: a signal, VMM_VCPU_KICK, or VcpuPage::immediate_exit is set.
inline constexpr unsigned long VMM_VCPU_RUN = vmm_ioctl(kDirIn, 33, sizeof(VmmVcpu));
// Makes the current, or if there is none the next, VMM_VCPU_RUN of that vCPU return EINTR.
inline constexpr unsigned long VMM_VCPU_KICK = vmm_ioctl(kDirIn, 34, sizeof(VmmVcpu));
inline constexpr unsigned long VMM_GET_FIELDS = vmm_ioctl(kDirIn, 35, sizeof(VmmFields));
inline constexpr unsigned long VMM_SET_FIELDS = vmm_ioctl(kDirIn, 36, sizeof(VmmFields));
inline constexpr unsigned long VMM_GET_XSAVE = vmm_ioctl(kDirInOut, 37, sizeof(VmmBlob));
inline constexpr unsigned long VMM_SET_XSAVE = vmm_ioctl(kDirIn, 38, sizeof(VmmBlob));
inline constexpr unsigned long VMM_GET_APIC = vmm_ioctl(kDirInOut, 39, sizeof(VmmBlob));
inline constexpr unsigned long VMM_SET_APIC = vmm_ioctl(kDirIn, 40, sizeof(VmmBlob));
inline constexpr unsigned long VMM_INJECT = vmm_ioctl(kDirIn, 41, sizeof(VmmInject));

inline constexpr uint64_t VMM_PAGE_OFFSET = 1ull << 47;

}  // namespace skep::uapi
