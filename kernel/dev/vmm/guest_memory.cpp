#include <kernel/dev/vmm/guest_memory.hpp>

#include <kernel/include/uapi/skep/vmm.h>
#include <kernel/mm/heap.hpp>

#include <cstring>
#include <new>

namespace skep::kernel::vmm {

namespace {

constexpr unsigned kLargeOrder = 9;
static_assert(kPageSize << kLargeOrder == kLargePageSize);
constexpr std::uint64_t kPagesPerFrame = kLargePageSize / kPageSize;
constexpr std::uint64_t kFirstVcpuPage = uapi::VMM_PAGE_OFFSET / kPageSize;

}  // namespace

MemorySlot* MemorySlot::create(std::uint64_t gpa, std::uint64_t size) {
    const std::size_t count = size / kLargePageSize;
    auto* slot = new (std::nothrow) MemorySlot;
    auto* frames = static_cast<PhysAddr*>(kernel_allocate(count * sizeof(PhysAddr)));
    if (!slot || !frames) {
        delete slot;
        kernel_free(frames);
        return nullptr;
    }
    slot->gpa_ = gpa;
    slot->frames_ = {frames, 0};
    for (std::size_t i = 0; i < count; ++i) {
        const Result<PhysAddr> frame = allocate_frames(kLargeOrder);
        if (!frame) {
            delete slot;  // with the frames so far
            return nullptr;
        }
        std::memset(direct_map(*frame), 0, kLargePageSize);
        frames[i] = *frame;
        slot->frames_ = {frames, i + 1};
    }
    return slot;
}

MemorySlot::~MemorySlot() {
    for (const PhysAddr frame : frames_)
        free_frames(frame, kLargeOrder);
    kernel_free(frames_.data());
}

GuestMemory::~GuestMemory() {
    while (MemorySlot* slot = slots_.pop_front())
        delete slot;
    for (const PhysAddr page : vcpu_pages_) {
        if (page.value)
            free_frames(page, 0);
    }
}

Result<ObjectPage> GuestMemory::page(std::uint64_t index, bool) {
    const MutexGuard guard(lock_);
    if (index >= kFirstVcpuPage) {
        const std::uint64_t vcpu = index - kFirstVcpuPage;
        if (vcpu >= kMaxVcpus || !vcpu_pages_[vcpu].value)
            return fail(Errno::Fault);
        return ObjectPage{.frame = vcpu_pages_[vcpu], .order = 0, .counted = false};
    }
    for (MemorySlot& slot : slots_) {
        const std::uint64_t first = slot.gpa() / kPageSize;
        const std::uint64_t frame = (index - first) / kPagesPerFrame;
        if (index >= first && frame < slot.frames().size())
            return ObjectPage{
                .frame = slot.frames()[frame], .order = kLargeOrder, .counted = false};
    }
    return fail(Errno::Fault);
}

Result<> GuestMemory::add(MemorySlot* slot) {
    const MutexGuard guard(lock_);
    for (MemorySlot& other : slots_) {
        if (slot->gpa() < other.end() && other.gpa() < slot->end())
            return fail(Errno::Exist);
        if (other.gpa() > slot->gpa()) {
            slots_.insert_before(other, *slot);
            return {};
        }
    }
    slots_.push_back(*slot);
    return {};
}

Result<PhysAddr> GuestMemory::vcpu_page(unsigned index) {
    const MutexGuard guard(lock_);
    if (!vcpu_pages_[index].value) {
        const PhysAddr page = SKEP_TRY(allocate_frames(0));
        std::memset(direct_map(page), 0, kPageSize);
        vcpu_pages_[index] = page;
    }
    return vcpu_pages_[index];
}

std::uint64_t GuestMemory::ram_size() {
    const MutexGuard guard(lock_);
    std::uint64_t size = 0;
    for (const MemorySlot& slot : slots_)
        size += slot.size();
    return size;
}

bool GuestMemory::covers(std::uint64_t offset, std::uint64_t size) {
    if (size == 0 || offset + size < offset)
        return false;
    const std::uint64_t end = offset + size;
    const MutexGuard guard(lock_);
    if (offset >= uapi::VMM_PAGE_OFFSET) {
        for (; offset < end; offset += kPageSize) {
            const std::uint64_t vcpu = (offset - uapi::VMM_PAGE_OFFSET) / kPageSize;
            if (vcpu >= kMaxVcpus || !vcpu_pages_[vcpu].value)
                return false;
        }
        return true;
    }
    for (MemorySlot& slot : slots_) {
        if (offset >= slot.gpa() && offset < slot.end())
            offset = slot.end();
    }
    return offset >= end;
}

}  // namespace skep::kernel::vmm
