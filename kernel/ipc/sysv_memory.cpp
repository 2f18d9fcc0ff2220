#include <kernel/ipc/sysv_memory.hpp>

#include <kernel/mm/anonymous_object.hpp>
#include <kernel/sched/clock.hpp>
#include <kernel/vfs/current.hpp>

namespace skep::kernel::sysv {

namespace {

SpinLock lock("SysV memory");

std::int64_t now() {
    return realtime_now() / 1'000'000'000;
}

// What the times of a segment are told by, as long as anything shows it.
class SegmentObject final : public VmObject, public ListNode<> {
  public:
    SegmentObject(Ref<VmObject> pages, std::uint64_t bytes)
        : size(bytes), pages_(std::move(pages)) {}
    ~SegmentObject() override {
        if (!linked())
            return;
        const SpinGuard guard(lock);
        List<SegmentObject>::remove(*this);
    }
    Result<ObjectPage> page(std::uint64_t index, bool write) override {
        return pages_->page(index, write);
    }
    const std::uint64_t size;
    std::int32_t last = 0;
    std::int64_t detached_at = 0;

  private:
    const Ref<VmObject> pages_;
};

class Segment final : public Object {
  public:
    Ref<SegmentObject> object;
    std::int32_t creator = 0;
    std::int64_t attached_at = 0, changed = 0;
};

Table table;
List<SegmentObject> objects;

Result<Ref<Segment>> find(std::int32_t id, std::uint32_t wanted) {
    const Ref<Object> held = SKEP_TRY(table.find(id));
    SKEP_TRY(held->permissions.check(current_caller(), wanted));
    return Ref<Segment>(static_cast<Segment*>(held.get()));
}

}  // namespace

Result<std::int32_t> get_segment(const GetHow& how, std::uint64_t size) {
    const Caller caller = current_caller();
    std::int32_t id = 0;
    {
        const SpinGuard guard(lock);
        if (const Ref<Object> there = SKEP_TRY(table.look_up(how, caller, id))) {
            if (size > static_cast<Segment&>(*there).object->size)
                return fail(Errno::Inval);
            return id;
        }
    }
    if (size == 0)
        return fail(Errno::Inval);
    if (size > memory_use().total_frames * kPageSize)
        return fail(Errno::NoMem);
    const std::uint64_t whole = (size + kPageSize - 1) & ~(kPageSize - 1);
    Ref<Segment> fresh = SKEP_TRY(make_ref<Segment>());
    fresh->object =
        SKEP_TRY(make_ref<SegmentObject>(SKEP_TRY(AnonymousObject::create(whole)), size));
    fresh->creator = current_process_id();
    fresh->changed = now();
    const SpinGuard guard(lock);
    if (SKEP_TRY(table.look_up(how, caller, id)))  // somebody was faster
        return how.exclusive ? Result<std::int32_t>(fail(Errno::Exist)) : id;
    SegmentObject& object = *fresh->object;
    const std::int32_t made = SKEP_TRY(table.add(std::move(fresh), how, caller));
    objects.push_back(object);
    return made;
}

Result<Shown> attach_segment(std::int32_t id, bool write) {
    const SpinGuard guard(lock);
    const Ref<Segment> segment =
        SKEP_TRY(find(id, write ? kAccessRead | kAccessWrite : kAccessRead));
    segment->attached_at = now();
    segment->object->last = current_process_id();
    return Shown{segment->object, segment->object->size};
}

bool detach_segment(const VmObject* object, std::uint64_t& size) {
    const SpinGuard guard(lock);
    for (SegmentObject& each : objects)
        if (&each == object) {
            size = each.size;
            each.detached_at = now();
            each.last = current_process_id();
            return true;
        }
    return false;
}

Result<SegmentState> segment_state(std::int32_t id) {
    const SpinGuard guard(lock);
    const Ref<Segment> s = SKEP_TRY(find(id, kAccessRead));
    const SegmentObject& object = *s->object;
    return SegmentState{s->permissions,          object.size,    s->creator,         object.last,
                        object.references() - 1, s->attached_at, object.detached_at, s->changed};
}

Result<std::int32_t> segment_at(std::int32_t slot) {
    const SpinGuard guard(lock);
    std::int32_t id = 0;
    SKEP_TRY(table.at(slot, id));
    return id;
}

Result<> change_segment(std::int32_t id, std::uint32_t user, std::uint32_t group,
                        std::uint16_t mode) {
    const SpinGuard guard(lock);
    const Ref<Segment> segment = SKEP_TRY(find(id, 0));
    SKEP_TRY(segment->permissions.check_owner(current_caller()));
    segment->permissions.give(user, group, mode);
    segment->changed = now();
    return {};
}

Result<> remove_segment(std::int32_t id) {
    Ref<Segment> segment;  // goes, with what nobody shows, once the lock is free
    const SpinGuard guard(lock);
    segment = SKEP_TRY(find(id, 0));
    SKEP_TRY(segment->permissions.check_owner(current_caller()));
    table.remove(id);
    return {};
}

}  // namespace skep::kernel::sysv
