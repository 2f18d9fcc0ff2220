#include <kernel/mm/anonymous_object.hpp>

#include <kernel/base/make.hpp>
#include <kernel/mm/frame.hpp>

namespace skep::kernel {

Result<Ref<VmObject>> AnonymousObject::create(std::uint64_t size) {
    return Ref<VmObject>(SKEP_TRY(make_ref<AnonymousObject>((size + kPageSize - 1) / kPageSize)));
}

AnonymousObject::~AnonymousObject() {
    tree_.for_each(0, pages_, [](std::uint64_t, std::uint64_t& frame) { release_frame({frame}); });
}

Result<ObjectPage> AnonymousObject::page(std::uint64_t index, bool) {
    const MutexGuard guard(lock_);
    if (index >= pages_)
        return fail(Errno::Fault);
    PhysAddr frame{tree_.get(index)};
    if (frame.value == 0) {
        frame = SKEP_TRY(allocate_zeroed_frame());
        if (auto set = tree_.set(index, frame.value); !set) {
            release_frame(frame);
            return fail(set.error());
        }
    }
    retain_frame(frame);
    return ObjectPage{.frame = frame};
}

}  // namespace skep::kernel
