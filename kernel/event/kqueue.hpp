// The kernel's one kind of event queue, after FreeBSD's kqueue; epoll is a view of it.
//
// Locks, in this order: change_lock_ (sleeps; registrations), then event sources' locks, then the
// locks of EventQueues (spin; the state of knotes). Files are asked for their readiness with none
// of them held: the knote is "in flux" then, and whoever wants to delete it waits.
//
// It is plain, with one queue that its threads share, or scheduled, with a queue for each of them;
// the first use decides, and schedule() before that.
#pragma once

#include <kernel/base/make.hpp>
#include <kernel/event/scheduled_queues.hpp>
#include <kernel/vfs/file.hpp>

#include <array>
#include <span>

namespace skep::kernel {

enum class KqueueView : std::uint8_t {
    Kqueue,
    Epoll
};

class Kqueue final : public File {
  public:
    static Result<Ref<Kqueue>> create(KqueueView view) { return make_ref<Kqueue>(view); }
    explicit Kqueue(KqueueView view)
        : File(FileKind::Kqueue, kOpenRead | kOpenWrite),
          view_(view),
          mode_(view == KqueueView::Epoll ? Mode::Plain : Mode::Fresh) {}
    ~Kqueue() override;
    KqueueView view() const { return view_; }

    // A change as kevent(2) describes it. `file`: what `ident` names, for filters of descriptors;
    // `table`: whose descriptor it is. Errors: NoEnt, Inval, BadF, NoMem.
    Result<> apply(const Kevent& change, const Ref<File>& file, const void* table);

    // epoll_ctl. Exist, NoEnt; Loop: it would watch itself.
    Result<> epoll_add(std::uint32_t descriptor, const Ref<File>&, Events, std::uint16_t flags,
                       std::uint64_t udata);
    Result<> epoll_modify(std::uint32_t descriptor, const Ref<File>&, Events, std::uint16_t flags,
                          std::uint64_t udata);
    Result<> epoll_remove(std::uint32_t descriptor, const Ref<File>&);

    // Sleeps until there are events or the deadline has come (0: does not sleep). -> how many;
    // Intr.
    Result<std::size_t> wait(std::span<Kevent> out, Nanoseconds deadline);

    // FKQMULTI: an event goes to one of its threads, by that policy. Inval: no such policy, or the
    // kqueue has been used; NoMem.
    Result<> schedule(std::uint32_t argument);
    // FKQTUNE. Inval; OpNotSupp.
    Result<> tune(std::uint32_t argument);
    // FKQMPRNT. Inval: it is not scheduled.
    Result<> log_queues();
    // The thread of that queue ends.
    void leave(EventQueue&);
    bool closed() const { return closed_.load(std::memory_order_acquire); }

    Events ready(Events interest) override;
    void on_last_close() override;
    Kqueue* kqueue() override { return this; }
    const char* description() const override {
        return view_ == KqueueView::Epoll ? "anon_inode:[eventpoll]" : "anon_inode:[kqueue]";
    }

  private:
    friend class Knote;
    friend class KnoteList;
    static constexpr std::size_t kBuckets = 256;
    static std::size_t bucket(std::uint64_t ident) { return (ident ^ ident >> 8) % kBuckets; }

    Knote* find(std::int16_t filter, std::uint64_t ident, const File* file);
    Result<> insert(const Kevent& change, File* file, const void* table, EventQueue* own);
    void erase(Knote&);
    void check_now(Knote&);
    void remove_of_file(File&, const void* table, std::int64_t descriptor);
    bool watches(const Kqueue& other, unsigned depth);
    Result<> apply_change(const Kevent& change, const Ref<File>& file, const void* table);

    void activate(Knote&, const Activity&);
    std::uint32_t collect(EventQueue&, Waiting, std::uint32_t most, std::span<Kevent>& out,
                          std::size_t spare, SpinGuard&);
    std::size_t collect(EventQueue&, std::span<Kevent> out, SpinGuard&);
    void put_back(EventQueue&, Knote&, const Kevent* reported);
    void delete_spent();

    // kqueue_scheduled.cpp
    // From now on, unless it is scheduled. -> whether it is plain.
    bool be_plain() {
        const Mode mode = mode_.load(std::memory_order_acquire);
        return mode == Mode::Plain || (mode == Mode::Fresh && become_plain());
    }
    bool become_plain();
    ScheduledQueues* scheduled() {
        return mode_.load(std::memory_order_acquire) == Mode::Scheduled ? scheduled_.get()
                                                                        : nullptr;
    }
    Result<EventQueue*> own_queue();
    Result<std::size_t> wait_scheduled(std::span<Kevent> out, Nanoseconds deadline);

    enum class Mode : std::uint8_t {
        Fresh,
        Plain,
        Scheduled
    };

    const KqueueView view_;
    Mutex change_lock_{"Kqueue changes"};
    std::array<Knote*, kBuckets> buckets_{};
    std::atomic<bool> closed_{false};  // changes under change_lock_

    std::atomic<Mode> mode_;
    EventQueue queue_;
    Owned<ScheduledQueues> scheduled_;               // set before mode_
    std::atomic<std::uint8_t> realtime_share_{100};  // per cent
    std::atomic<std::uint32_t> spent_{0};            // delivered ONESHOT knotes
};

}  // namespace skep::kernel
