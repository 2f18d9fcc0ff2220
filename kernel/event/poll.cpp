#include <kernel/event/poll.hpp>

#include <kernel/sched/clock.hpp>

#include <new>

namespace skep::kernel {

namespace {

struct Sleeper {
    SpinLock lock{"poll"};
    WaitQueue queue;
    bool changed = false;
};

class Subscription final : public EventSubscriber {
  public:
    void begin(Sleeper& sleeper, PollItem& item) {
        sleeper_ = &sleeper;
        item_ = &item;
        item.file->events().subscribe(*this);
    }
    ~Subscription() {
        if (item_)
            item_->file->events().unsubscribe(*this);
    }
    void on_events(Events events) override {
        if (!(events & (item_->interest | kError | kHangup)))
            return;
        {
            SpinGuard guard(sleeper_->lock);
            sleeper_->changed = true;
        }
        sleeper_->queue.wake_all();
    }

  private:
    Sleeper* sleeper_ = nullptr;
    PollItem* item_ = nullptr;
};

std::size_t check(std::span<PollItem> items) {
    std::size_t found = 0;
    for (PollItem& item : items) {
        item.result = item.file ? item.file->ready(item.interest) : 0;
        found += item.result != 0;
    }
    return found;
}

}  // namespace

Result<std::size_t> poll_files(std::span<PollItem> items, Nanoseconds deadline) {
    if (const std::size_t found = check(items); found || deadline == 0)
        return found;
    Sleeper sleeper;
    struct Subscriptions {
        Subscription* all = nullptr;
        ~Subscriptions() { delete[] all; }
    } subscriptions;
    if (!items.empty()) {
        subscriptions.all = new (std::nothrow) Subscription[items.size()];
        if (!subscriptions.all)
            return fail(Errno::NoMem);
    }
    for (std::size_t i = 0; i < items.size(); i++)
        if (items[i].file)
            subscriptions.all[i].begin(sleeper, items[i]);
    for (;;) {
        {
            SpinGuard guard(sleeper.lock);
            sleeper.changed = false;
        }
        if (const std::size_t found = check(items))
            return found;
        SpinGuard guard(sleeper.lock);
        while (!sleeper.changed) {
            if (auto woken = sleeper.queue.wait(guard, Sleep::Interruptible, deadline); !woken) {
                if (woken.error() != Errno::TimedOut)
                    return fail(woken.error());
                guard.unlock();
                return check(items);
            }
        }
    }
}

}  // namespace skep::kernel
