// The guest as its owner sees it: /dev/vmm/NAME (kernel/include/uapi/skep/vmm.h) as an interface,
// so that the machine above it can be tested without one.
#pragma once

#include <guestdev/core/error.hpp>
#include <guestdev/core/irq.hpp>

#include <hv/abi/hypercall.hpp>
#include <hv/abi/vcpu.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace skep::guestdev {

struct HostCapabilities {
    abi::HostInfo host;
    std::uint64_t tsc_frequency;  // Hz
};

class Vmm {
  public:
    virtual ~Vmm() = default;

    virtual Result<HostCapabilities> host() = 0;
    virtual Result<std::vector<abi::CpuidEntry>> supported_cpuid() = 0;
    virtual Status set_cpuid(std::span<const abi::CpuidEntry> entries) = 0;

    // RAM, zeroed. Multiples of 2 MiB.
    virtual Result<std::span<std::byte>> add_memory(std::uint64_t gpa, std::uint64_t size) = 0;

    virtual Status send_msi(const Msi& msi) = 0;

    // The page lives as long as the Vmm.
    virtual Result<abi::VcpuPage*> create_vcpu(unsigned index) = 0;
    enum class RunEnd {
        Exit,
        Kicked
    };
    virtual Result<RunEnd> run(unsigned index) = 0;
    // The current or next run() of the vCPU ends with Kicked.
    virtual void kick(unsigned index) = 0;

    // Of a vCPU that does not run.
    virtual Status get_fields(unsigned index, std::span<abi::FieldValue> fields) = 0;
    virtual Status set_fields(unsigned index, std::span<const abi::FieldValue> fields) = 0;
    virtual Result<std::vector<std::byte>> get_xsave(unsigned index) = 0;
    virtual Status set_xsave(unsigned index, std::span<const std::byte> area) = 0;
    virtual Status get_apic(unsigned index, std::span<std::byte, 4096> page) = 0;
    virtual Status set_apic(unsigned index, std::span<const std::byte, 4096> page) = 0;
    virtual Status inject(unsigned index, abi::InjectKind kind, std::uint32_t vector,
                          std::uint32_t error_code) = 0;
};

}  // namespace skep::guestdev
