#include <kernel/event/knote_list.hpp>

#include <kernel/event/kqueue.hpp>

namespace skep::kernel {

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
