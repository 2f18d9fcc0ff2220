// Vmm over an open /dev/vmm/NAME.
#pragma once

#include <guestdev/vmm/vmm.hpp>

#include <array>

namespace skep::guestdev {

class DevVmm final : public Vmm {
  public:
    // Does not own the descriptor.
    explicit DevVmm(int fd) : fd_(fd) {}
    DevVmm(const DevVmm&) = delete;
    DevVmm& operator=(const DevVmm&) = delete;
    ~DevVmm() override;

    Result<HostCapabilities> host() override;
    Result<std::vector<abi::CpuidEntry>> supported_cpuid() override;
    Status set_cpuid(std::span<const abi::CpuidEntry> entries) override;
    Result<std::span<std::byte>> add_memory(std::uint64_t gpa, std::uint64_t size) override;
    Status send_msi(const Msi& msi) override;
    Result<abi::VcpuPage*> create_vcpu(unsigned index) override;
    Result<RunEnd> run(unsigned index) override;
    void kick(unsigned index) override;
    Status get_fields(unsigned index, std::span<abi::FieldValue> fields) override;
    Status set_fields(unsigned index, std::span<const abi::FieldValue> fields) override;
    Result<std::vector<std::byte>> get_xsave(unsigned index) override;
    Status set_xsave(unsigned index, std::span<const std::byte> area) override;
    Status get_apic(unsigned index, std::span<std::byte, 4096> page) override;
    Status set_apic(unsigned index, std::span<const std::byte, 4096> page) override;
    Status inject(unsigned index, abi::InjectKind kind, std::uint32_t vector,
                  std::uint32_t error_code) override;

  private:
    template <typename Argument>
    Status call(unsigned long request, Argument& argument, const char* what) const;
    Result<std::span<std::byte>> map(std::uint64_t offset, std::uint64_t size, const char* what);

    int fd_;
    std::vector<std::span<std::byte>> mappings_;
};

}  // namespace skep::guestdev
