#include <kernel/proc/nice.hpp>

#include <kernel/proc/process.hpp>
#include <kernel/sched/nice.hpp>

#include <algorithm>

namespace skep::kernel {

namespace {

// Calls f(Thread&) -> Result<> for each that is meant. With process_lock held.
template <typename F>
Result<> for_each_thread(Process& p, F f) {
    const SpinGuard guard(p.lock);
    for (Thread& t : p.threads)
        SKEP_TRY(f(t));
    return {};
}

template <typename F>
Result<> for_each(NiceOf which, std::int32_t id, F f) {
    Process& me = current_process();
    switch (which) {
        case NiceOf::Thread: {
            Thread* t = id ? find_thread(id) : &current_thread();
            return t && t->process ? f(*t) : Result<>(fail(Errno::Srch));
        }
        case NiceOf::Process: {
            Process* p = id ? find_process(id) : &me;
            return p ? for_each_thread(*p, f) : Result<>(fail(Errno::Srch));
        }
        case NiceOf::Group: {
            ProcessGroup* group = id ? find_group(id) : me.group.get();
            if (!group)
                return fail(Errno::Srch);
            for (Process& p : group->members)
                SKEP_TRY(for_each_thread(p, f));
            return {};
        }
        case NiceOf::User: {
            const std::uint32_t user =
                id ? static_cast<std::uint32_t>(id) : me.credentials.real_user;
            for (Process& p : all_processes)
                if (p.credentials.real_user == user)
                    SKEP_TRY(for_each_thread(p, f));
            return {};
        }
    }
    return fail(Errno::Inval);
}

}  // namespace

Result<int> lowest_nice(NiceOf which, std::int32_t id) {
    constexpr int kNone = kNiceMost + 1;
    int lowest = kNone;
    const SpinGuard guard(process_lock);
    SKEP_TRY(for_each(which, id, [&](const Thread& t) -> Result<> {
        lowest = std::min(lowest, int{t.nice});
        return {};
    }));
    if (lowest == kNone)
        return fail(Errno::Srch);
    return lowest;
}

Result<> set_nice(NiceOf which, std::int32_t id, int nice) {
    nice = std::clamp(nice, kNiceLeast, kNiceMost);
    const Credentials& me = current_process().credentials;
    const bool superuser = me.effective_user == 0;
    bool any = false;
    const SpinGuard guard(process_lock);
    SKEP_TRY(for_each(which, id, [&](Thread& t) -> Result<> {
        const Credentials& its = t.process->credentials;
        if (!superuser && me.effective_user != its.real_user &&
            me.effective_user != its.effective_user)
            return fail(Errno::Perm);
        if (!superuser && nice < t.nice)
            return fail(Errno::Acces);
        t.nice = static_cast<std::int8_t>(nice);
        t.slice.store(slice_of(nice), std::memory_order_relaxed);
        any = true;
        return {};
    }));
    if (!any)
        return fail(Errno::Srch);
    return {};
}

void inherit_nice(Thread& thread, const Thread& creator) {
    thread.nice = creator.nice;
    thread.slice.store(slice_of(creator.nice), std::memory_order_relaxed);
}

}  // namespace skep::kernel
