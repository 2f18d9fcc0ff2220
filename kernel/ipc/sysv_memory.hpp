// System V shared memory: segments that address spaces show (shmat(2)). One that was removed lives
// on while it is shown somewhere.
#pragma once

#include <kernel/ipc/sysv.hpp>
#include <kernel/mm/vm_object.hpp>

namespace skep::kernel::sysv {

struct SegmentState {
    Permissions permissions;
    std::uint64_t size;
    std::int32_t creator, last;
    std::uint32_t attached;  // mappings, of which a program may have made several out of one
    std::int64_t attached_at, detached_at, changed;
};

// As shmget and shmctl of the calling process. Errors: Inval (id, size), Acces, Perm, NoMem.
Result<std::int32_t> get_segment(const GetHow&, std::uint64_t size);
struct Shown {
    Ref<VmObject> object;
    std::uint64_t size;
};
Result<Shown> attach_segment(std::int32_t id, bool write);
// Whether the object is a segment's, and how large that is. Tells the segment that it is left.
bool detach_segment(const VmObject* object, std::uint64_t& size);
Result<SegmentState> segment_state(std::int32_t id);
// Of a slot, for programs that list them. -> its id.
Result<std::int32_t> segment_at(std::int32_t slot);
Result<> change_segment(std::int32_t id, std::uint32_t user, std::uint32_t group,
                        std::uint16_t mode);
Result<> remove_segment(std::int32_t id);

}  // namespace skep::kernel::sysv
