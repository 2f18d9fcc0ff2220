// VMX as hv's backend: turning it on, and making virtual CPUs.
#include "hv/cpu/backend.hpp"
#include "hv/arch/instructions.hpp"
#include "hv/arch/registers.hpp"
#include "hv/lib/panic.hpp"
#include "hv/memory/frame_pool.hpp"
#include "hv/memory/layout.hpp"
#include "hv/vmx/capability.hpp"
#include "hv/vmx/ept.hpp"
#include "hv/vmx/vcpu.hpp"

#include <array>

namespace skep::hv::vmx {

namespace {

constexpr u64 kFeatureControlLock = 1 << 0, kFeatureControlVmx = 1 << 2;

class VmxBackend final : public Backend {
  public:
    abi::Vendor vendor() const override { return abi::Vendor::Intel; }
    const char* name() const override { return "hv/vmx"; }
    u32 features() const override {
        const Capabilities& can = capabilities();
        u32 features = 0;
        if (can.preemption_timer)
            features |= abi::kFeaturePreemptionTimer;
        if (can.write_log)
            features |= abi::kFeaturePml;
        if (can.ept_access_dirty)
            features |= abi::kFeatureEptAd;
        if (can.ept_1g)
            features |= abi::kFeatureLargePages1G;
        if (can.apicv)
            features |= abi::kFeatureApicv;
        if (can.posted_interrupts)
            features |= abi::kFeaturePostedInterrupts;
        return features;
    }
    const TableFormat& table_format() const override { return format_; }
    Hpa apic_page() const override;
    const char* absent(unsigned index) const override;

    void enable_cpu() override;
    // Stays current on this CPU, so that its state can be written.
    Result<HardwareVcpu*> create_root(Hpa tables) override {
        return create(Role::Root, {tables, {}, {}});
    }
    Result<HardwareVcpu*> create_vcpu(const GuestFrames& frames) override {
        return create(Role::Guest, frames);
    }
    void destroy_vcpu(HardwareVcpu* vcpu) override {
        VmxVcpu::destroy(static_cast<VmxVcpu*>(vcpu));
    }

    void set_format() {
        const Capabilities& can = capabilities();
        format_ = make_ept_format(can.ept_1g, can.ept_access_dirty, can.write_log);
    }

  private:
    static Result<HardwareVcpu*> create(Role role, const GuestFrames& frames) {
        const auto vcpu = VmxVcpu::create(role, frames);
        if (!vcpu)
            return fail(vcpu.error());
        return *vcpu;
    }

    TableFormat format_ = make_ept_format(false, false, false);
};

constinit VmxBackend the_backend;

}  // namespace

const char* missing() {
    const char* what = read_capabilities();
    if (what == nullptr)
        the_backend.set_format();
    return what;
}

Backend& instance() {
    return the_backend;
}

// Never accessed itself (SDM vol. 3, 30.4): one for all.
Hpa VmxBackend::apic_page() const {
    alignas(kPageSize) static constinit std::array<u8, kPageSize> page{};
    return physical(&page);
}

const char* VmxBackend::absent(unsigned index) const {
    const Capabilities& can = capabilities();
    const OptionalFeature features[] = {
        {"VPID with INVVPID", can.vpid},
        {"INVVPID of a single context", can.invvpid_single},
        {"EPT accessed and dirty flags", can.ept_access_dirty},
        {"page-modification logging", can.write_log},
        {"EPT 1 GiB pages", can.ept_1g},
        {"VMX-preemption timer", can.preemption_timer},
        {"APIC virtualization", can.apicv},
        {"posted interrupts", can.posted_interrupts},
        {"RDTSCP in guests", can.secondary.allows(kEnableRdtscp)},
        {"INVPCID in guests", can.secondary.allows(kEnableInvpcid)},
        {"XSAVES in the root domain", can.secondary.allows(kEnableXsaves)},
    };
    return absent_feature(features, index);
}

void VmxBackend::enable_cpu() {
    const u64 control = read_capability(CapabilityMsr::FeatureControl);
    if ((control & kFeatureControlLock) == 0)
        write_msr(msr::kFeatureControl, control | kFeatureControlVmx | kFeatureControlLock);

    // SDM vol. 3, 24.8.
    write_cr0((read_cr0() | read_capability(CapabilityMsr::Cr0Fixed0)) &
              read_capability(CapabilityMsr::Cr0Fixed1));
    write_cr4((read_cr4() | cr4::kVmxe | read_capability(CapabilityMsr::Cr4Fixed0)) &
              read_capability(CapabilityMsr::Cr4Fixed1));

    const auto region = pool().allocate();
    if (!region)
        panic("no memory for a VMXON region");
    static_cast<Region*>(pool().at(*region))->revision = capabilities().revision;
    if (!vmxon(region->value))
        panic("VMXON failed");
    invept(Invalidation::AllContexts, {0, 0});
}

}  // namespace skep::hv::vmx
