// A guest's memory as a VmObject: RAM at offset = guest-physical address, VcpuPages from
// VMM_PAGE_OFFSET on. It lives as long as a process maps it, so longer than the guest itself if
// need be.
#pragma once

#include <kernel/base/list.hpp>
#include <kernel/mm/vm_object.hpp>
#include <kernel/sync/wait.hpp>

#include <array>
#include <span>

namespace skep::kernel::vmm {

inline constexpr unsigned kMaxVcpus = 64;

// RAM in 2 MiB frames, zeroed.
class MemorySlot : public ListNode<> {
  public:
    // Null: no memory.
    static MemorySlot* create(std::uint64_t gpa, std::uint64_t size);
    ~MemorySlot();
    std::uint64_t gpa() const { return gpa_; }
    std::uint64_t size() const { return frames_.size() * kLargePageSize; }
    std::uint64_t end() const { return gpa_ + size(); }
    std::span<const PhysAddr> frames() const { return frames_; }

  private:
    MemorySlot() = default;
    std::uint64_t gpa_ = 0;
    std::span<PhysAddr> frames_;
};

class GuestMemory final : public VmObject {
  public:
    ~GuestMemory() override;
    Result<ObjectPage> page(std::uint64_t index, bool write) override;

    // Takes the slot over; Exist if it overlaps another.
    Result<> add(MemorySlot* slot);
    // The frame of vCPU `index`'s page, cleared; the same one each time.
    Result<PhysAddr> vcpu_page(unsigned index);
    std::uint64_t ram_size();
    // Whether every page of the range exists.
    bool covers(std::uint64_t offset, std::uint64_t size);

  private:
    Mutex lock_{"guest memory"};
    List<MemorySlot> slots_;  // by address
    std::array<PhysAddr, kMaxVcpus> vcpu_pages_{};
};

}  // namespace skep::kernel::vmm
