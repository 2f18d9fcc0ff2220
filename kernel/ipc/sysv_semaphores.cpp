#include <kernel/ipc/sysv_semaphores.hpp>

#include <kernel/sched/clock.hpp>
#include <kernel/vfs/current.hpp>

#include <algorithm>

namespace skep::kernel::sysv {

namespace {

class SemaphoreSet final : public Object {
  public:
    Vector<Semaphore> members;
    std::int64_t used = 0, semaphores_changed = 0;
    WaitQueue changed;
};

// What a process's end adds to a semaphore.
struct Undo : ListNode<> {
    std::int32_t process;
    SemaphoreSet* set;  // there as long as it is not removed
    std::uint16_t number;
    std::int32_t change;
};

SpinLock lock("SysV semaphores");
Table table;
List<Undo> undos;

std::int64_t now() {
    return realtime_now() / 1'000'000'000;
}

Result<Ref<SemaphoreSet>> find(std::int32_t id, std::uint32_t wanted) {
    Ref<Object> held = SKEP_TRY(table.find(id));
    SKEP_TRY(held->permissions.check(current_caller(), wanted));
    return Ref<SemaphoreSet>(static_cast<SemaphoreSet*>(held.get()));
}

Undo* find_undo(std::int32_t process, const SemaphoreSet& set, std::uint16_t number) {
    for (Undo& u : undos)
        if (u.process == process && u.set == &set && u.number == number)
            return &u;
    return nullptr;
}

void forget_undos(const SemaphoreSet& set, std::int32_t number = -1) {
    for (Undo& u : undos) {
        if (u.set == &set && (number < 0 || u.number == number)) {
            List<Undo>::remove(u);
            delete &u;
        }
    }
}

// Takes the steps up to the first that has to wait, which is told; nothing of them stays then.
Result<const SemaphoreStep*> try_steps(SemaphoreSet& set, std::span<const SemaphoreStep> steps) {
    Result<const SemaphoreStep*> stopped = nullptr;
    std::size_t taken = 0;
    for (const SemaphoreStep& step : steps) {
        const std::int32_t value = set.members[step.number].value, after = value + step.change;
        if (step.change == 0 ? value != 0 : after < 0) {
            stopped = &step;
            break;
        }
        if (after > kSemaphoreValueMax) {
            stopped = fail(Errno::Range);
            break;
        }
        set.members[step.number].value = static_cast<std::uint16_t>(after);
        taken++;
    }
    if (stopped && !*stopped)
        return nullptr;
    while (taken--)
        set.members[steps[taken].number].value = static_cast<std::uint16_t>(
            set.members[steps[taken].number].value - steps[taken].change);
    return stopped;
}

// Room for every undo that there may be, before anything changes.
Result<> prepare_undos(SemaphoreSet& set, std::span<const SemaphoreStep> steps) {
    const std::int32_t process = current_process_id();
    for (const SemaphoreStep& step : steps) {
        if (!step.undo || step.change == 0 || find_undo(process, set, step.number))
            continue;
        auto* undo = new (std::nothrow) Undo{{}, process, &set, step.number, 0};
        if (!undo)
            return fail(Errno::NoMem);
        undos.push_back(*undo);
    }
    return {};
}

void finish(SemaphoreSet& set, std::span<const SemaphoreStep> steps) {
    const std::int32_t process = current_process_id();
    for (const SemaphoreStep& step : steps) {
        set.members[step.number].process = process;
        if (step.undo && step.change)
            if (Undo* undo = find_undo(process, set, step.number))
                undo->change -= step.change;
    }
    set.used = now();
    set.changed.wake_all();
}

}  // namespace

Result<std::int32_t> get_set(const GetHow& how, std::size_t count) {
    if (count > kSemaphoresMax)
        return fail(Errno::Inval);
    Ref<SemaphoreSet> fresh = SKEP_TRY(make_ref<SemaphoreSet>());
    SKEP_TRY(fresh->members.resize(count));
    fresh->semaphores_changed = now();
    const Caller caller = current_caller();
    const SpinGuard guard(lock);
    std::int32_t id = 0;
    if (const Ref<Object> there = SKEP_TRY(table.look_up(how, caller, id))) {
        if (count > static_cast<SemaphoreSet&>(*there).members.size())
            return fail(Errno::Inval);
        return id;
    }
    if (count == 0)
        return fail(Errno::Inval);
    return table.add(std::move(fresh), how, caller);
}

Result<> operate(std::int32_t id, std::span<const SemaphoreStep> steps, Nanoseconds deadline) {
    const bool changes = std::ranges::any_of(steps, [](auto& s) { return s.change != 0; });
    Ref<SemaphoreSet> set;
    SpinGuard guard(lock);
    set = SKEP_TRY(find(id, changes ? kAccessWrite : kAccessRead));
    for (const SemaphoreStep& step : steps)
        if (step.number >= set->members.size())
            return fail(Errno::FBig);
    SKEP_TRY(prepare_undos(*set, steps));
    for (;;) {
        const SemaphoreStep* stopped = SKEP_TRY(try_steps(*set, steps));
        if (!stopped) {
            finish(*set, steps);
            return {};
        }
        if (stopped->no_wait)
            return fail(Errno::Again);
        const std::uint16_t number = stopped->number;
        const bool for_more = stopped->change != 0;
        auto waiting = [&]() -> std::uint16_t& {
            Semaphore& s = set->members[number];
            return for_more ? s.wait_for_more : s.wait_for_zero;
        };
        waiting()++;
        const Result<> woken = set->changed.wait(guard, Sleep::Interruptible, deadline);
        waiting()--;
        if (set->removed)
            return fail(Errno::IdRm);
        if (!woken)
            return fail(woken.error() == Errno::TimedOut ? Errno::Again : woken.error());
    }
}

Result<SetState> set_state(std::int32_t id) {
    const SpinGuard guard(lock);
    const Ref<SemaphoreSet> set = SKEP_TRY(find(id, kAccessRead));
    return SetState{set->permissions, static_cast<std::uint16_t>(set->members.size()), set->used,
                    set->semaphores_changed};
}

Result<Semaphore> semaphore(std::int32_t id, std::uint32_t number) {
    const SpinGuard guard(lock);
    const Ref<SemaphoreSet> set = SKEP_TRY(find(id, kAccessRead));
    if (number >= set->members.size())
        return fail(Errno::Inval);
    return set->members[number];
}

Result<> read_values(std::int32_t id, Vector<std::uint16_t>& values) {
    const SpinGuard guard(lock);
    const Ref<SemaphoreSet> set = SKEP_TRY(find(id, kAccessRead));
    for (const Semaphore& s : set->members)
        SKEP_TRY(values.push_back(s.value));
    return {};
}

Result<> write_value(std::int32_t id, std::uint32_t number, std::int32_t value) {
    const SpinGuard guard(lock);
    const Ref<SemaphoreSet> set = SKEP_TRY(find(id, kAccessWrite));
    if (number >= set->members.size())
        return fail(Errno::Inval);
    if (value < 0 || value > kSemaphoreValueMax)
        return fail(Errno::Range);
    set->members[number].value = static_cast<std::uint16_t>(value);
    set->members[number].process = current_process_id();
    set->semaphores_changed = now();
    forget_undos(*set, static_cast<std::int32_t>(number));
    set->changed.wake_all();
    return {};
}

Result<> write_values(std::int32_t id, std::span<const std::uint16_t> values) {
    const SpinGuard guard(lock);
    const Ref<SemaphoreSet> set = SKEP_TRY(find(id, kAccessWrite));
    if (values.size() != set->members.size())
        return fail(Errno::Inval);
    for (const std::uint16_t value : values)
        if (value > kSemaphoreValueMax)
            return fail(Errno::Range);
    for (std::size_t i = 0; i < values.size(); i++)
        set->members[i].value = values[i];
    set->semaphores_changed = now();
    forget_undos(*set);
    set->changed.wake_all();
    return {};
}

Result<> change_set(std::int32_t id, std::uint32_t user, std::uint32_t group, std::uint16_t mode) {
    const SpinGuard guard(lock);
    const Ref<SemaphoreSet> set = SKEP_TRY(find(id, 0));
    SKEP_TRY(set->permissions.check_owner(current_caller()));
    set->permissions.give(user, group, mode);
    set->semaphores_changed = now();
    return {};
}

Result<> remove_set(std::int32_t id) {
    Ref<SemaphoreSet> set;
    const SpinGuard guard(lock);
    set = SKEP_TRY(find(id, 0));
    SKEP_TRY(set->permissions.check_owner(current_caller()));
    set->removed = true;
    table.remove(id);
    forget_undos(*set);
    set->changed.wake_all();
    return {};
}

void undo_semaphores(std::int32_t process) {
    const SpinGuard guard(lock);
    for (Undo& u : undos) {
        if (u.process != process)
            continue;
        Semaphore& s = u.set->members[u.number];
        s.value = static_cast<std::uint16_t>(
            std::clamp<std::int32_t>(s.value + u.change, 0, kSemaphoreValueMax));
        s.process = process;
        u.set->changed.wake_all();
        List<Undo>::remove(u);
        delete &u;
    }
}

}  // namespace skep::kernel::sysv
