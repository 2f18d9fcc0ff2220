#include "hv/cpu/backend.hpp"

#include "hv/arch/instructions.hpp"
#include "hv/arch/registers.hpp"
#include "hv/lib/panic.hpp"
#include "hv/memory/frame_pool.hpp"
#include "hv/memory/layout.hpp"
#include "hv/svm/permission_maps.hpp"
#include "hv/svm/vcpu.hpp"

#include <atomic>
#include <new>

namespace skep::hv::svm {

namespace {

constexpr u32 kVmCr = 0xc001'0114, kVmHsavePa = 0xc001'0117;
constexpr u64 kSvmDisabled = 1 << 4, kRedirectInit = 1 << 1;
constexpr u32 kRootAsid = 1;

// APM vol. 2, 15.25.5: ordinary long-mode tables, walked as user accesses.
TableFormat format{
    .readable = 1,
    .writable = 2,
    .executable = 0,
    .not_executable = u64{1} << 63,
    .leaf = 1 << 2 | 1 << 5 | 1 << 6,
    .table = 1 | 2 | 4 | 1 << 5,
    .present = 1,
    .memory_type_shift = 0,
    .large_1g = false,
};

Capabilities found;

// The VMCB first: it is the part that has to have a frame of its own.
struct Frames {
    Vmcb vmcb;
    alignas(SvmVcpu) u8 vcpu[sizeof(SvmVcpu)];
};

Result<SvmVcpu*> create(Role role, u32 asid, Hpa tables) {
    auto* frames = pool().create<Frames>();
    if (frames == nullptr)
        return fail(abi::Error::NoMemory);
    return new (frames->vcpu) SvmVcpu(role, &frames->vmcb, asid, tables);
}

class SvmBackend final : public Backend {
  public:
    abi::Vendor vendor() const override { return abi::Vendor::Amd; }
    const char* name() const override { return "hv/svm " HV_VERSION; }
    u32 features() const override { return format.large_1g ? u32{abi::kFeatureLargePages1G} : 0; }
    const TableFormat& table_format() const override { return format; }
    const char* absent(unsigned index) const override {
        const OptionalFeature features[] = {
            {"next RIP saved", found.next_rip},
            {"flush by ASID", found.flush_by_asid},
            {"1 GiB pages", format.large_1g},
        };
        return absent_feature(features, index);
    }

    void enable_cpu() override {
        if (const char* reason = missing())
            panic("this CPU: {}", reason);
        const auto save_area = pool().allocate();
        if (!save_area)
            panic("no memory for a host save area");
        write_msr(msr::kEfer, read_msr(msr::kEfer) | efer::kSvme);
        write_msr(kVmHsavePa, save_area->value);
        // An INIT that the root domain sends would take the CPU out of hv's hands: it becomes an
        // exception of hv's own instead (APM vol. 2, 15.30.1), which ignores it.
        write_msr(kVmCr, read_msr(kVmCr) | kRedirectInit);
    }

    Result<HardwareVcpu*> create_root(Hpa tables) override {
        return create(Role::Root, kRootAsid, tables);
    }

    Result<HardwareVcpu*> create_vcpu(const GuestFrames& frames) override {
        // Sharing an ASID is allowed: SvmVcpu::acquire flushes when its user changes.
        const u32 turn = next_asid_.fetch_add(1, std::memory_order_relaxed);
        return create(Role::Guest, kRootAsid + 1 + turn % (found.asids - kRootAsid - 1),
                      frames.tables);
    }

    void destroy_vcpu(HardwareVcpu* vcpu) override {
        pool().destroy(reinterpret_cast<Frames*>(&static_cast<SvmVcpu*>(vcpu)->vmcb()));
    }

  private:
    std::atomic<u32> next_asid_{0};
};

}  // namespace

const Capabilities& capabilities() {
    return found;
}

const char* missing() {
    // APM vol. 3, appendix E.4.
    constexpr u32 kSvm = 1 << 2, kSvmLeaf = 0x8000'000a;
    constexpr u32 kNestedPaging = 1 << 0;
    if (cpuid(0x8000'0000).eax < kSvmLeaf || (cpuid(0x8000'0001).ecx & kSvm) == 0)
        return "no SVM";
    if ((read_msr(kVmCr) & kSvmDisabled) != 0)
        return "SVM is turned off by the firmware";
    if ((cpuid(kSvmLeaf).edx & kNestedPaging) == 0)
        return "SVM without nested paging";
    if (cpuid(kSvmLeaf).ebx < 4)
        return "SVM with fewer than four address space identifiers";
    return nullptr;
}

Backend& instance() {
    static constinit SvmBackend backend;
    const CpuidResult leaf = cpuid(0x8000'000a);
    found = {.asids = leaf.ebx < 64 ? leaf.ebx : 64,
             .next_rip = (leaf.edx & 1 << 3) != 0,
             .flush_by_asid = (leaf.edx & 1 << 6) != 0};
    format.large_1g = (cpuid(0x8000'0001).edx & 1u << 26) != 0;
    build_permission_maps();
    return backend;
}

}  // namespace skep::hv::svm
