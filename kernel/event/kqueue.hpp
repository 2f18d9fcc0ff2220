// The kernel's one kind of event queue, after FreeBSD's kqueue; epoll is a view of it.
//
// Locks, in this order: change_lock_ (sleeps; registrations), then event sources' locks, then the
// locks of EventQueues (spin; the state of knotes). Files are asked for their readiness with none
// of them held: the knote is "in flux" then, and whoever wants to delete it waits.
#pragma once

#include <kernel/base/make.hpp>
#include <kernel/event/event_queue.hpp>
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
        : File(FileKind::Kqueue, kOpenRead | kOpenWrite), view_(view) {}
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
    Result<> insert(const Kevent& change, File* file, const void* table);
    void erase(Knote&);
    void check_now(Knote&);
    void remove_of_file(File&, const void* table, std::int64_t descriptor);
    bool watches(const Kqueue& other, unsigned depth);
    Result<> apply_change(const Kevent& change, const Ref<File>& file, const void* table);

    // What a source tells of a knote.
    struct Activity {
        Events events = 0;
        std::uint64_t times = 0;
    };
    void activate(Knote&, Activity);
    void wake(EventQueue&);
    void collect(EventQueue&, Urgency, std::uint32_t most, std::span<Kevent>& out, SpinGuard&);
    std::size_t collect(EventQueue&, std::span<Kevent> out, SpinGuard&);
    void put_back(EventQueue&, Knote&, const Kevent* reported);
    void delete_spent();

    const KqueueView view_;
    Mutex change_lock_{"Kqueue changes"};
    std::array<Knote*, kBuckets> buckets_{};
    bool closed_ = false;

    EventQueue queue_;
    std::atomic<std::uint32_t> spent_{0};  // delivered ONESHOT knotes
};

}  // namespace skep::kernel
