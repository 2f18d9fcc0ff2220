#include <kernel/dev/vmm/hv_call.hpp>

#include <cstring>

namespace skep::kernel::vmm {

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
