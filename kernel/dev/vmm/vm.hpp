// A guest: hv's VM, its memory and vCPUs. The open node, the registry of names and running vCPUs
// share it.
#pragma once

#include <kernel/dev/vmm/guest_memory.hpp>
#include <kernel/dev/vmm/vcpu.hpp>

#include <memory>

namespace skep::kernel::vmm {

class Vm final : public RefCounted {
  public:
    static Result<Ref<Vm>> create();
    ~Vm() override;

    std::uint64_t id() const { return id_; }
    GuestMemory& memory() { return *memory_; }
    Ref<GuestMemory> memory_reference() { return memory_; }

    Result<> add_memory(std::uint64_t gpa, std::uint64_t size);
    Result<> create_vcpu(unsigned index);
    Result<Vcpu*> vcpu(std::uint32_t index);  // NoEnt; lives as long as the Vm
    Result<> send_msi(std::uint64_t address, std::uint32_t data);
    void wake(std::uint64_t mask);  // vCPUs by index

    // From now on nothing runs: VMMCTL_DESTROY.
    void retire();
    bool retired() const { return retired_.load(); }
    void kick_all();

  private:
    Vm(std::uint64_t id, Ref<GuestMemory> memory) : id_(id), memory_(std::move(memory)) {}
    Result<> map(const MemorySlot& slot);

    std::uint64_t id_;
    Ref<GuestMemory> memory_;
    std::atomic<bool> retired_{false};
    Mutex setup_{"vm"};  // one change of memory or vCPUs at a time
    std::array<std::atomic<Vcpu*>, kMaxVcpus> vcpus_{};
};

}  // namespace skep::kernel::vmm
