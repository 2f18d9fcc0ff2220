#include <kernel/event/kqueue.hpp>

#include <kernel/sched/clock.hpp>

namespace skep::kernel {

namespace {
// Watching a watcher of a watcher...: how deep; and the lock that keeps two threads from closing a
// loop together.
constexpr unsigned kNestingMax = 5;
Mutex nesting_lock{"epoll nesting"};
}  // namespace

Kqueue::~Kqueue() {
    on_last_close();  // one that never got a descriptor
}

Knote* Kqueue::find(std::int16_t filter, std::uint64_t ident, const File* file) {
    for (Knote* knote = buckets_[bucket(ident)]; knote; knote = knote->next_in_bucket_)
        if (knote->settings_.filter == filter && knote->settings_.ident == ident &&
            (!file || knote->file_ == file))
            return knote;
    return nullptr;
}

Result<> Kqueue::insert(const Kevent& change, File* file, const void* table) {
    if (closed_)
        return fail(Errno::BadF);
    Owned<Knote> knote = SKEP_TRY(make_owned<Knote>(*this, change, file, table));
    knote->disabled_ = change.flags & kEventDisable;
    if (file)
        SKEP_TRY(file->knotes().add(*knote));
    if (auto attached = knote->attach(); !attached) {
        if (file)
            file->knotes().remove(*knote);
        return attached;
    }
    Knote*& head = buckets_[bucket(change.ident)];
    knote->next_in_bucket_ = head;
    head = knote.leak();
    check_now(*head);
    return {};
}

// With change_lock_ held.
void Kqueue::erase(Knote& knote) {
    knote.detach();  // nobody activates it from here on
    {
        SpinGuard guard(lock_);
        while (knote.in_flux_)
            (void)flux_.wait(guard, Sleep::Uninterruptible);
        if (knote.queued_) {
            List<Knote, ActiveKnoteTag>::remove(knote);
            queue_.length--;
        }
        if (knote.spent_)
            spent_--;
    }
    if (knote.file_)
        knote.file_->knotes().remove(knote);
    Knote** link = &buckets_[bucket(knote.settings_.ident)];
    while (*link != &knote)
        link = &(*link)->next_in_bucket_;
    *link = knote.next_in_bucket_;
    delete &knote;
}

// Something may be there to report already.
void Kqueue::check_now(Knote& knote) {
    bool worth_a_look = true;
    switch (knote.settings_.filter) {
        case kFilterRead:
            worth_a_look = knote.file_->ready(kReadable | kReadHangup);
            break;
        case kFilterWrite:
            worth_a_look = knote.file_->ready(kWritable);
            break;
        case kFilterPoll:
            worth_a_look = knote.file_->ready(knote.settings_.fflags);
            break;
        default:
            break;
    }
    if (worth_a_look)
        activate(knote, 0);
}

bool Kqueue::enqueue(Knote& knote) {
    if (knote.disabled_ || knote.in_flux_) {
        knote.pending_ = true;
        return false;
    }
    if (!knote.queued_) {
        knote.queued_ = true;
        queue_.active.push_back(knote);
        queue_.length++;
    }
    return true;
}

void Kqueue::activate(Knote& knote, Events events) {
    {
        SpinGuard guard(lock_);
        knote.happened_ |= events;
        if (!enqueue(knote))
            return;
    }
    wake();
}

void Kqueue::wake() {
    queue_.waiters.wake_one();
    File::events().notify(kReadable);
}

Result<> Kqueue::apply(const Kevent& change, const Ref<File>& file, const void* table) {
    if (file && file->kqueue() && (change.flags & kEventAdd)) {
        MutexGuard nesting(nesting_lock);
        if (file->kqueue() == this || file->kqueue()->watches(*this, kNestingMax))
            return fail(Errno::Inval);
        return apply_change(change, file, table);
    }
    return apply_change(change, file, table);
}

Result<> Kqueue::apply_change(const Kevent& change, const Ref<File>& file, const void* table) {
    MutexGuard guard(change_lock_);
    Knote* knote = find(change.filter, change.ident, nullptr);
    if (!knote) {
        if (!(change.flags & kEventAdd))
            return fail(Errno::NoEnt);
        return insert(change, file.get(), table);
    }
    if (change.flags & kEventDelete) {
        erase(*knote);
        return {};
    }
    knote->update(change);
    if ((change.flags & kEventAdd) && change.filter == kFilterTimer)
        SKEP_TRY(knote->start_timer());
    {
        SpinGuard spin(lock_);
        if (change.flags & kEventDisable)
            knote->disabled_ = true;
        else if (change.flags & (kEventEnable | kEventAdd))
            knote->disabled_ = false;
        if ((change.flags & kEventAdd) && knote->spent_) {
            knote->spent_ = false;
            spent_--;
        }
    }
    if (!(change.flags & kEventDisable))
        check_now(*knote);
    return {};
}

bool Kqueue::watches(const Kqueue& other, unsigned depth) {
    if (depth == 0)
        return true;
    MutexGuard guard(change_lock_);
    for (Knote* head : buckets_)
        for (Knote* knote = head; knote; knote = knote->next_in_bucket_)
            if (knote->file_ && knote->file_->kqueue() &&
                (knote->file_->kqueue() == &other ||
                 knote->file_->kqueue()->watches(other, depth - 1)))
                return true;
    return false;
}

Result<> Kqueue::epoll_add(std::uint32_t descriptor, const Ref<File>& file, Events events,
                           std::uint16_t flags, std::uint64_t udata) {
    if (file.get() == this)
        return fail(Errno::Inval);
    const Kevent change{.ident = descriptor,
                        .filter = kFilterPoll,
                        .flags = flags,
                        .fflags = events,
                        .udata = udata};
    if (!file->kqueue()) {
        MutexGuard guard(change_lock_);
        if (find(kFilterPoll, descriptor, file.get()))
            return fail(Errno::Exist);
        return insert(change, file.get(), nullptr);
    }
    MutexGuard nesting(nesting_lock);
    if (file->kqueue()->watches(*this, kNestingMax))
        return fail(Errno::Loop);
    MutexGuard guard(change_lock_);
    if (find(kFilterPoll, descriptor, file.get()))
        return fail(Errno::Exist);
    return insert(change, file.get(), nullptr);
}

Result<> Kqueue::epoll_modify(std::uint32_t descriptor, const Ref<File>& file, Events events,
                              std::uint16_t flags, std::uint64_t udata) {
    MutexGuard guard(change_lock_);
    Knote* knote = find(kFilterPoll, descriptor, file.get());
    if (!knote)
        return fail(Errno::NoEnt);
    knote->update(
        {.flags = static_cast<std::uint16_t>(flags | kEventAdd), .fflags = events, .udata = udata});
    {
        SpinGuard spin(lock_);
        knote->disabled_ = false;
    }
    check_now(*knote);
    return {};
}

Result<> Kqueue::epoll_remove(std::uint32_t descriptor, const Ref<File>& file) {
    MutexGuard guard(change_lock_);
    Knote* knote = find(kFilterPoll, descriptor, file.get());
    if (!knote)
        return fail(Errno::NoEnt);
    erase(*knote);
    return {};
}

// With lock_ held, which it gives up around each evaluation. Each knote is looked at once.
std::size_t Kqueue::collect(std::span<Kevent> out, SpinGuard& guard) {
    std::size_t found = 0;
    for (std::uint64_t left = queue_.length; left && found < out.size(); left--) {
        Knote* knote = queue_.active.pop_front();
        if (!knote)
            break;
        queue_.length--;
        knote->queued_ = false;
        if (knote->disabled_) {
            knote->pending_ = true;
            continue;
        }
        knote->in_flux_ = true;
        knote->pending_ = false;
        guard.unlock();
        Kevent event;
        const bool report = knote->evaluate(event);
        guard.relock();
        knote->in_flux_ = false;
        const std::uint16_t flags = knote->settings_.flags;
        bool again = knote->pending_;
        if (report) {
            out[found++] = event;
            if ((flags | event.flags) & kEventOneshot) {
                knote->disabled_ = knote->spent_ = true;
                spent_++;
            } else if (flags & kEventDispatch) {
                knote->disabled_ = true;
            }
            again |= !(flags & kEventClear);
        }
        if (again)
            (void)enqueue(*knote);
        flux_.wake_all();
    }
    return found;
}

// ONESHOT knotes that were delivered.
void Kqueue::delete_spent() {
    MutexGuard guard(change_lock_);
    for (Knote* head : buckets_)
        for (Knote *knote = head, *next; knote; knote = next) {
            next = knote->next_in_bucket_;
            if (knote->spent_)
                erase(*knote);
        }
}

Result<std::size_t> Kqueue::wait(std::span<Kevent> out, Nanoseconds deadline) {
    if (out.empty())
        return 0;
    std::size_t found = 0;
    bool spent = false, more = false;
    {
        SpinGuard guard(lock_);
        for (;;) {
            found = collect(out, guard);
            // An event may have come for a knote while this thread had it in hand, and then it has
            // woken nobody.
            if (found || deadline == 0 || monotonic_now() >= deadline)
                break;
            if (!queue_.active.empty())
                continue;  // it became active while others were looked at
            if (auto woken = queue_.waiters.wait(guard, Sleep::Interruptible, deadline);
                !woken && woken.error() != Errno::TimedOut)
                return fail(woken.error());
        }
        spent = spent_;
        more = !queue_.active.empty();
    }
    if (spent)
        delete_spent();
    if (more)
        queue_.waiters.wake_one();  // level-triggered events are for the next thread too
    return found;
}

Events Kqueue::ready(Events interest) {
    SpinGuard guard(lock_);
    return queue_.active.empty() ? 0 : interest & kReadable;
}

void Kqueue::on_last_close() {
    MutexGuard guard(change_lock_);
    closed_ = true;
    for (Knote*& head : buckets_)
        while (head)
            erase(*head);
}

void Kqueue::remove_of_file(File& file, const void* table, std::int64_t descriptor) {
    MutexGuard guard(change_lock_);
    for (;;) {
        Knote* found = nullptr;
        {
            SpinGuard list(file.knotes().lock_);
            for (Knote& knote : file.knotes().knotes_)
                if (&knote.kqueue_ == this &&
                    (descriptor < 0 ||
                     (knote.table_ == table &&
                      knote.settings_.ident == static_cast<std::uint64_t>(descriptor))))
                    found = &knote;
        }
        if (!found)
            return;
        erase(*found);  // only this kqueue's change lock holder removes it
    }
}

Result<> KnoteList::add(Knote& knote) {
    SpinGuard guard(lock_);
    if (closed_)
        return fail(Errno::BadF);
    knotes_.push_back(knote);
    count_.fetch_add(1, std::memory_order_relaxed);
    return {};
}

void KnoteList::remove(Knote& knote) {
    SpinGuard guard(lock_);
    List<Knote, FileKnoteTag>::remove(knote);
    count_.fetch_sub(1, std::memory_order_relaxed);
}

void KnoteList::remove_descriptor(File& file, const void* table, std::uint32_t descriptor) {
    if (count_.load(std::memory_order_relaxed) == 0)
        return;
    for (;;) {
        Ref<Kqueue> kqueue;  // it cannot go away while its knote is on this list
        {
            SpinGuard guard(lock_);
            for (Knote& knote : knotes_)
                if (knote.table_ == table && knote.settings_.ident == descriptor) {
                    kqueue = Ref<Kqueue>(&knote.kqueue_);
                    break;
                }
        }
        if (!kqueue)
            return;
        kqueue->remove_of_file(file, table, descriptor);
    }
}

void KnoteList::close(File& file) {
    for (;;) {
        Ref<Kqueue> kqueue;
        {
            SpinGuard guard(lock_);
            closed_ = true;
            if (Knote* knote = knotes_.front())
                kqueue = Ref<Kqueue>(&knote->kqueue_);
        }
        if (!kqueue)
            return;
        kqueue->remove_of_file(file, nullptr, -1);
    }
}

}  // namespace skep::kernel
