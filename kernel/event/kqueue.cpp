#include <kernel/event/kqueue.hpp>

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

// `own`: the queue that it is pinned to; null: none.
Result<> Kqueue::insert(const Kevent& change, File* file, const void* table, EventQueue* own) {
    if (closed_)
        return fail(Errno::BadF);
    Owned<Knote> knote = SKEP_TRY(make_owned<Knote>(*this, queue_, change, file, table));
    knote->disabled_ = change.flags & kEventDisable;
    knote->realtime_ = change.flags & kEventRealtime;
    if (file)
        SKEP_TRY(file->knotes().add(*knote));
    if (auto attached = knote->attach(); !attached) {
        if (file)
            file->knotes().remove(*knote);
        return attached;
    }
    if (own)
        scheduled_->pin(*knote, *own);
    Knote*& head = buckets_[bucket(change.ident)];
    knote->next_in_bucket_ = head;
    head = knote.leak();
    check_now(*head);
    return {};
}

// With change_lock_ held.
void Kqueue::erase(Knote& knote) {
    knote.detach();  // nobody activates it from here on
    knote.when_settled([&](EventQueue& queue) {
        if (knote.queued_)
            queue.remove(knote);
        if (knote.spent_)
            spent_.fetch_sub(1, std::memory_order_relaxed);
    });
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
        activate(knote, {});
}

Result<> Kqueue::apply(const Kevent& change, const Ref<File>& file, const void* table) {
    if (file && file->kqueue() && (change.flags & kEventAdd)) {
        MutexGuard nesting(nesting_lock);
        if (file->kqueue() == this || !file->kqueue()->be_plain() ||
            file->kqueue()->watches(*this, kNestingMax))
            return fail(Errno::Inval);
        return apply_change(change, file, table);
    }
    return apply_change(change, file, table);
}

Result<> Kqueue::apply_change(const Kevent& change, const Ref<File>& file, const void* table) {
    EventQueue* own = nullptr;
    if (!be_plain() && (change.flags & kEventAdd) && (change.flags & kEventAffinity))
        own = SKEP_TRY(own_queue());
    MutexGuard guard(change_lock_);
    Knote* knote = find(change.filter, change.ident, nullptr);
    if (!knote) {
        if (!(change.flags & kEventAdd))
            return fail(Errno::NoEnt);
        return insert(change, file.get(), table, own);
    }
    if (change.flags & kEventDelete) {
        erase(*knote);
        return {};
    }
    knote->with_state([&](EventQueue& queue) {
        knote->update(change);
        if (change.flags & kEventAdd)
            queue.set_urgency(*knote, change.flags & kEventRealtime);
    });
    if ((change.flags & kEventAdd) && change.filter == kFilterTimer)
        SKEP_TRY(knote->start_timer());
    knote->with_state([&](EventQueue&) {
        if (change.flags & kEventDisable)
            knote->disabled_ = true;
        else if (change.flags & (kEventEnable | kEventAdd))
            knote->disabled_ = false;
        if ((change.flags & kEventAdd) && knote->spent_) {
            knote->spent_ = false;
            spent_.fetch_sub(1, std::memory_order_relaxed);
        }
    });
    if (own)
        scheduled_->pin(*knote, *own);
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
        return insert(change, file.get(), nullptr, nullptr);
    }
    MutexGuard nesting(nesting_lock);
    if (!file->kqueue()->be_plain())
        return fail(Errno::Inval);
    if (file->kqueue()->watches(*this, kNestingMax))
        return fail(Errno::Loop);
    MutexGuard guard(change_lock_);
    if (find(kFilterPoll, descriptor, file.get()))
        return fail(Errno::Exist);
    return insert(change, file.get(), nullptr, nullptr);
}

Result<> Kqueue::epoll_modify(std::uint32_t descriptor, const Ref<File>& file, Events events,
                              std::uint16_t flags, std::uint64_t udata) {
    MutexGuard guard(change_lock_);
    Knote* knote = find(kFilterPoll, descriptor, file.get());
    if (!knote)
        return fail(Errno::NoEnt);
    knote->with_state([&](EventQueue&) {
        knote->update({.flags = static_cast<std::uint16_t>(flags | kEventAdd),
                       .fflags = events,
                       .udata = udata});
        knote->disabled_ = false;
    });
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

void Kqueue::on_last_close() {
    MutexGuard guard(change_lock_);
    closed_ = true;
    for (Knote*& head : buckets_)
        while (head)
            erase(*head);
    if (ScheduledQueues* queues = scheduled())
        queues->close_all();
}

}  // namespace skep::kernel
