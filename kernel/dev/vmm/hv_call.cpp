#include <kernel/dev/vmm/hv_call.hpp>

#include <kernel/sched/thread.hpp>

#include <cstring>

namespace skep::kernel::vmm {

namespace {

constexpr unsigned kGiftOrder = 9;  // 2 MiB

}  // namespace

Errno to_errno(abi::Error error) {
    switch (error) {
        case abi::Error::NoEntity:
            return Errno::NoEnt;
        case abi::Error::Exists:
            return Errno::Exist;
        case abi::Error::NoMemory:
            return Errno::NoMem;
        case abi::Error::Busy:
            return Errno::Busy;
        case abi::Error::Denied:
            return Errno::Perm;
        case abi::Error::Unsupported:
        case abi::Error::NoCall:
            return Errno::OpNotSupp;
        case abi::Error::Invalid:
            break;
    }
    return Errno::Inval;
}

bool give_hv_memory() {
    const auto frames = allocate_frames(kGiftOrder);
    if (!frames)
        return false;
    for (;;) {
        const std::int64_t result = hypercall(abi::Hypercall::MemoryGive, frames->value);
        if (result == 0)
            return true;
        if (result != -static_cast<std::int64_t>(abi::Error::Busy)) {
            free_frames(*frames, kGiftOrder);
            return false;
        }
        yield();  // another CPU gives some
    }
}

void give_hv_memory_for(std::uint64_t bytes) {
    const auto buffer = HvBuffer::create();
    if (!buffer || hypercall(abi::Hypercall::Stats, buffer->address()) < 0)
        return;
    const std::uint64_t wanted = bytes / kLargePageSize;  // a table each
    std::uint64_t have = buffer->data<abi::HostStats>()->pool_frames_free;
    while (have < wanted && give_hv_memory())
        have += kLargePageSize / kPageSize;
}

void take_back_hv_memory() {
    for (;;) {
        const std::int64_t result = hypercall(abi::Hypercall::MemoryTakeBack);
        if (result < 0)
            return;
        free_frames(PhysAddr{static_cast<std::uint64_t>(result)}, kGiftOrder);
    }
}

Result<HvBuffer> HvBuffer::create() {
    const PhysAddr frame = SKEP_TRY(allocate_frames(0));
    std::memset(direct_map(frame), 0, kPageSize);
    return HvBuffer(frame);
}

HvBuffer::~HvBuffer() {
    if (frame_.value)
        free_frames(frame_, 0);
}

}  // namespace skep::kernel::vmm
