// A vCPU's architectural state between hv's numbered fields and the named ones of a saved guest.
#pragma once

#include <guestdev/vmm/vmm.hpp>

#include <skep/snapshot/v1/vcpu.pb.h>

#include <cstdint>
#include <vector>

namespace skep::guestdev {

// Reads all of it. Registers that were changed for the next run and not handed to hv yet
// (page.write_back) are as changed.
Result<snapshot::v1::VcpuState> read_vcpu(Vmm& vmm, unsigned index, const abi::VcpuPage& page);

// What a record is made of for hv. Made before anything is created, so that a gap is found in time.
struct VcpuFields {
    std::vector<abi::FieldValue> fields;
    std::vector<std::byte> xsave;
    std::vector<std::byte> apic;  // register page
    // Set last, when the guest goes on: see VcpuClock.
};
Result<VcpuFields> to_fields(const snapshot::v1::VcpuState& state);
Status write_vcpu(Vmm& vmm, unsigned index, const VcpuFields& fields);

// The fields that run with the TSC. They are read when the guest stops and set when it goes on, so
// that its time stands still in between.
struct VcpuClock {
    std::uint64_t tsc = 0, deadline = 0, remaining = 0;
};
Result<VcpuClock> read_clock(Vmm& vmm, unsigned index);
VcpuClock clock_of(const snapshot::v1::VcpuState& state);
void set_clock(snapshot::v1::VcpuState& state, const VcpuClock& clock);
// `passed`: TSC ticks since the guest went on.
Status write_clock(Vmm& vmm, unsigned index, const VcpuClock& clock, std::uint64_t passed);

}  // namespace skep::guestdev
