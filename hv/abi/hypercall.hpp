// The hypercalls of hv: how the root domain's kernel asks for domains, memory and vCPUs.
//
// Instruction: VMCALL on Intel, VMMCALL on AMD, from CPL 0 of the root domain (anything else
// takes #UD).
//   in   RAX number; RDI, RSI, RDX, R10, R8, R9 arguments
//   out  RAX result: >= 0 a value, < 0 the negated Error; every other register is kept, save
//        that vcpu_run clobbers the x87/SSE/AVX state, DR0-DR3, DR6 and CR2: the caller saves its
//        own.
//
// Addresses: `hpa` is host-physical, which in the root domain equals guest-physical; `gpa` is
// guest-physical in the named VM. A buffer argument is the hpa of memory that the root domain
// owns and lies within one 4 KiB frame. Sizes are in bytes and, like every mapping address, a
// multiple of 4 KiB; hv uses 2 MiB and 1 GiB pages by itself where the alignment allows.
//
// Machine state at entry of the root domain's kernel: that of Multiboot2 (i386 state, section
// 3.2 of the Multiboot2 specification), with a boot information in which hv's frames are
// marked reserved and the module named "kernel" is gone. hv is there if CPUID leaf
// `kCpuidSignatureLeaf` returns the signature below.
#pragma once

#include <cstdint>

namespace skep::abi {

inline constexpr std::uint32_t kVersion = 1;

inline constexpr std::uint32_t kCpuidSignatureLeaf = 0x4000'0000;  // EBX,ECX,EDX = "SkepSkepSkep"
inline constexpr std::uint32_t kCpuidSignature = 0x7065'6b53;      // "Skep", in each of the three

enum class Hypercall : std::uint64_t {
    // Each call: name(arguments in order) -> value; then what fails how. Of all: NoCall for a
    // number that is not here; of those with a buffer or page: Invalid if it is misaligned or
    // crosses a frame, Denied if it is not memory of the root domain; of those with a VM or vCPU:
    // NoEntity if there is none. A call that fails has changed nothing.

    // info(buffer) -> 0: fills a HostInfo.
    Info = 0,
    // cpu_start(apic_id, entry, argument) -> 0: starts a parked CPU in the root domain at `entry`
    // (hpa) in the Multiboot2 i386 machine state, EBX = argument. Invalid: either needs more than
    // 32 bits; Denied: `entry` is not the root domain's; NoEntity: no such CPU; Exists: it runs.
    CpuStart = 1,
    // stats(buffer) -> 0: fills a HostStats.
    Stats = 2,
    // cpuid_supported(buffer, count) -> 0: `count` CpuidEntry (1..128) whose leaf and subleaf are
    // set. Fills EAX to EDX with what a VM's table may have there on this CPU: features that hv
    // cannot virtualize are off, those that it emulates on. Invalid: the count.
    CpuidSupported = 3,
    // memory_give(hpa) -> 0: 2 MiB of the root domain become hv's, for tables and vCPUs: what calls
    // that answer NoMemory want. Invalid: not a multiple of 2 MiB; Denied: not all of it is the
    // root domain's; Busy as for vm_map to an isolated VM; NoMemory: hv has 512 MiB so far.
    MemoryGive = 4,
    // memory_take_back() -> hpa: 2 MiB, given before and not in use now, are the root domain's
    // again, zeroed. NoEntity: there are none.
    MemoryTakeBack = 5,

    // vm_create(flags: VmFlags) -> VM id. Invalid: an unknown flag; NoMemory: hv's pool is empty;
    // Busy: there are 64 VMs.
    VmCreate = 16,
    // vm_destroy(vm) -> 0: also its vCPUs. Busy while one of them runs.
    VmDestroy = 17,
    // vm_map(vm, gpa, hpa, size, Protection) -> 0. Invalid: not multiples of 4 KiB, size 0, a gpa
    // of 2^48 or more, a protection that lacks kRead beside others; Denied: a frame is not the root
    // domain's; Exists: a part of the gpa range is mapped; NoMemory: for tables. To an isolated VM
    // the frames go over: the root domain has them no longer, and gets them back zeroed when the VM
    // is destroyed. There gpa, hpa and size are multiples of 2 MiB; Busy while another VM maps a
    // part or has a VcpuPage there, or another CPU does the same.
    VmMap = 18,
    // vm_unmap(vm, gpa, size) -> 0: parts that are not mapped are skipped; when it returns, no vCPU
    // reaches the memory. Invalid as for vm_map; NoMemory: a large page could not be split;
    // Unsupported: the VM is isolated.
    VmUnmap = 19,
    // vm_protect(vm, gpa, size, Protection) -> 0: on mapped memory. Protection 0 keeps the frame
    // and makes each access leave with ExitReason::PageAbsent (for a pager). NoEntity: a part is
    // not mapped; else as vm_unmap.
    VmProtect = 20,
    // vm_dirty_log(vm, gpa, size, DirtyLogOp, buffer) -> 0: bit i of the buffer is page gpa + i * 4
    // KiB; only Harvest has a buffer. Start watches what is mapped then. Where the CPU keeps dirty
    // flags (kFeatureEptAd), the guest's page tables count as written when they are walked (SDM
    // vol. 3, 29.3.5). Invalid: not multiples of 4 KiB, a size of 0 or over 128 MiB
    // (one 4 KiB buffer).
    VmDirtyLog = 21,
    // vm_set_cpuid(vm, buffer, count) -> 0: the CPUID table of the VM: `count` CpuidEntry (1..128).
    // Leaves that are not listed read as zero. hv itself fills in what is dynamic: APIC ids,
    // OSXSAVE, XSAVE sizes of leaf 0xD. Unsupported: an entry has a feature that hv cannot
    // virtualize; Invalid: the count, or an entry twice.
    VmSetCpuid = 22,
    // vm_send_msi(vm, address, data) -> mask of vCPU indices that now have an interrupt to take and
    // are not running or must be kicked out (bit = index). SDM vol. 3, 11.11. Invalid: an address
    // outside of 0xFEE00000 + 1 MiB.
    VmSendMsi = 23,

    // vcpu_create(vm, index, page) -> 0: `page` is the hpa of a frame of the root domain that
    // becomes the vCPU's VcpuPage until vcpu_destroy. index = APIC id, 0..63. State after creation:
    // RESET (SDM vol. 3, table 10-1); vCPU 0 runnable, others wait for SIPI. Invalid: the index;
    // Exists; NoMemory.
    VcpuCreate = 32,
    // vcpu_destroy(vm, index) -> 0. Busy while it runs.
    VcpuDestroy = 33,
    // vcpu_run(vm, index) -> 0: the calling CPU becomes the vCPU until an exit, told in the
    // VcpuPage. Busy: it runs on another CPU, as for all calls below.
    VcpuRun = 34,
    // vcpu_get_fields, vcpu_set_fields(vm, index, buffer, count) -> 0: `count` FieldValue (1..256).
    // Get reads `id` and fills `value`. NoEntity: no such field; Invalid: the count, `reserved`, or
    // a value that the field cannot have; then none of them is set.
    VcpuGetFields = 35,
    VcpuSetFields = 36,
    // vcpu_get_xsave, vcpu_set_xsave(vm, index, buffer, size) -> bytes used: the XSAVE area in
    // standard (non compacted) form, SDM vol. 1, 13.4. Invalid: the size is too small, or XRSTOR
    // would fault on it.
    VcpuGetXsave = 37,
    VcpuSetXsave = 38,
    // vcpu_get_apic, vcpu_set_apic(vm, index, buffer) -> 0: the local APIC's 4 KiB register page in
    // xAPIC layout (SDM vol. 3, table 11-1); base, mode and timer deadline are Fields.
    VcpuGetApic = 39,
    VcpuSetApic = 40,
    // vcpu_inject(vm, index, InjectKind, vector, error_code) -> 0. Invalid: the kind or vector;
    // Busy: an event is pending already, or the vCPU cannot take an ExternalInterrupt now.
    VcpuInject = 41,
};

// Negated in RAX.
enum class Error : std::int64_t {
    Invalid = 1,      // an argument is malformed or out of range
    NoEntity = 2,     // no such VM, vCPU, CPU or field
    Exists = 3,       // already there
    NoMemory = 4,     // hv's own pool is exhausted: memory_give
    Busy = 5,         // the vCPU runs on another CPU
    Denied = 6,       // a frame does not belong to the root domain
    Unsupported = 7,  // the CPU or hv lacks it
    NoCall = 8,       // unknown hypercall number
};

enum VmFlags : std::uint64_t {
    kVmIsolated = 1,  // its memory is withdrawn from the root domain
};

enum Protection : std::uint32_t {
    kNone = 0,
    kRead = 1,
    kWrite = 2,
    kExecute = 4,
};

enum class DirtyLogOp : std::uint64_t {
    Start = 0,    // write-protect (or arm PML / D bits) and forget what was dirty
    Harvest = 1,  // fill the bitmap and re-arm those pages
    Stop = 2,
};

enum class InjectKind : std::uint64_t {
    Nmi = 0,
    Exception = 1,  // without error code
    ExceptionWithCode = 2,
    ExternalInterrupt = 3,  // the 8259's vector, after VcpuPage::ready_for_interrupt
};

// hv tells a CPU that runs a vCPU of interrupts by this vector, where the CPU takes it without
// leaving the guest (kFeaturePostedInterrupts). If it has left in the meantime, the interrupt is
// the root domain's, which ends it and does nothing else. There, an interrupt that ends a stay in a
// guest is in service already; hv delivers it as soon as the root domain's IF is set.
inline constexpr std::uint8_t kNotificationVector = 0xf4;

enum class Vendor : std::uint32_t {
    Intel = 1,
    Amd = 2
};

struct HostInfo {
    std::uint32_t abi_version;  // kVersion
    Vendor vendor;
    std::uint32_t cpu_count;         // CPUs that hv started
    std::uint32_t max_vcpus;         // per VM
    std::uint64_t tsc_frequency;     // Hz; 0 if hv could not tell
    std::uint64_t hv_base, hv_size;  // hv's memory from the start, host-physical
    std::uint64_t xcr0_supported;    // guest XCR0 bits that hv switches
    std::uint32_t features;          // HostFeature bits
    std::uint32_t apic_ids[64];      // of the CPUs; entry 0 is the boot CPU
    char name[48];                   // "hv/vmx" or "hv/svm" and the version, NUL-terminated
};

enum HostFeature : std::uint32_t {
    kFeatureApicv = 1,
    kFeaturePostedInterrupts = 2,
    kFeaturePml = 4,
    kFeatureEptAd = 8,
    kFeaturePreemptionTimer = 16,
    kFeatureLargePages1G = 32,
};

inline constexpr std::uint32_t kExitReasons = 32;

struct HostStats {
    std::uint64_t pool_frames_total, pool_frames_free;  // of hv's own memory, 4 KiB each
    std::uint64_t root_exits;  // exits of the root domain, hypercalls apart
    std::uint64_t hypercalls;
    std::uint64_t hypercalls_refused;
    std::uint64_t guest_exits_handled;        // finished inside hv
    std::uint64_t guest_exits[kExitReasons];  // handed to the root domain, by ExitReason
    std::uint64_t vms, vcpus;
    // What the root domain tried that is not its own: hv's memory, virtualization instructions and
    // registers.
    std::uint64_t root_violations;
};

struct CpuidEntry {
    std::uint32_t leaf, subleaf;
    std::uint32_t flags;  // bit 0: subleaf matters
    std::uint32_t eax, ebx, ecx, edx;
    std::uint32_t reserved;
};
static_assert(sizeof(CpuidEntry) == 32);

}  // namespace skep::abi
