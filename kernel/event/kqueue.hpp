// The one event queue of the kernel, after FreeBSD's kqueue; epoll is a view of it.
//
// Active knotes wait in an EventQueue. A plain kqueue has one, shared by its threads; the scheduled
// kqueue (SKQ) gives each thread its own and a policy chooses among them where activate() now takes
// the only one.
//
// Locks, in this order: change_lock_ (sleeps; registrations), then event sources' locks, then lock_
// (spins; the state of knotes). Files are asked for their readiness with none of them held: the
// knote is "in flux" then, and whoever wants to delete it waits.
#pragma once

#include <kernel/base/make.hpp>
#include <kernel/event/knote.hpp>
#include <kernel/vfs/file.hpp>

#include <array>
#include <span>

namespace skep::kernel {

struct EventQueue {
    List<Knote, ActiveKnoteTag> active;
    WaitQueue waiters;
    std::uint64_t length = 0;
};

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

    // With lock_ held. -> whether somebody may have to be woken.
    bool enqueue(Knote&);
    void activate(Knote&, Events);
    void wake();
    std::size_t collect(std::span<Kevent> out, SpinGuard&);
    void delete_spent();

    const KqueueView view_;
    Mutex change_lock_{"Kqueue changes"};
    std::array<Knote*, kBuckets> buckets_{};
    bool closed_ = false;

    SpinLock lock_{"Kqueue"};
    EventQueue queue_;
    WaitQueue flux_;
    std::uint32_t spent_ = 0;
};

}  // namespace skep::kernel
