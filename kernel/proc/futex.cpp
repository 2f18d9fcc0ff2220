#include <kernel/proc/futex.hpp>

#include <kernel/proc/process.hpp>

#include <algorithm>
#include <array>
#include <atomic>

namespace skep::kernel {

namespace {

struct Key {
    std::uint64_t space;    // the map, or the object of a shared mapping
    std::uint64_t address;  // in it
    bool operator==(const Key&) const = default;
};

struct Bucket;
struct Sleeper : ListNode<> {
    Key key;
    std::uint32_t mask;
    std::atomic<Bucket*> bucket;
    std::atomic<bool> woken{false};
    WaitQueue queue;
};

struct Bucket {
    SpinLock lock{"futex"};
    List<Sleeper> sleepers;
};
std::array<Bucket, 256> buckets;

Bucket& bucket_of(const Key& key) {
    std::uint64_t h = (key.space ^ key.address >> 2) * 0x9e37'79b9'7f4a'7c15;
    return buckets[h >> 56];
}

Result<Key> key_of(UserAddr address, bool shared) {
    if (address % 4 != 0)
        return fail(Errno::Inval);
    VmMap& map = *current_process().map;
    if (shared)
        if (const auto place = SKEP_TRY(map.shared_place(address)); place.object)
            return Key{reinterpret_cast<std::uint64_t>(place.object), place.offset};
    return Key{reinterpret_cast<std::uint64_t>(&map), address};
}

// The lock of the bucket that the sleeper is in; it may be moved until the lock is held.
class SleeperGuard {
  public:
    explicit SleeperGuard(Sleeper& sleeper) {
        for (;;) {
            bucket_ = sleeper.bucket.load(std::memory_order_acquire);
            interrupts_ = bucket_->lock.lock();
            if (bucket_ == sleeper.bucket.load(std::memory_order_acquire))
                return;
            bucket_->lock.unlock(interrupts_);
        }
    }
    ~SleeperGuard() { bucket_->lock.unlock(interrupts_); }

  private:
    Bucket* bucket_;
    bool interrupts_;
};

// With the bucket's lock held.
void wake(Sleeper& sleeper) {
    List<Sleeper>::remove(sleeper);
    sleeper.queue.wake_all();
    sleeper.woken.store(true, std::memory_order_release);
}

// Leaves the queue. -> whether it had been woken.
bool leave(Sleeper& sleeper) {
    const SleeperGuard guard(sleeper);
    if (sleeper.linked())
        List<Sleeper>::remove(sleeper);
    return sleeper.woken.load(std::memory_order_acquire);
}

}  // namespace

Result<> futex_wait(UserAddr address, bool shared, std::uint32_t expected, std::uint32_t mask,
                    Nanoseconds deadline) {
    Sleeper sleeper;
    sleeper.key = SKEP_TRY(key_of(address, shared));
    sleeper.mask = mask;
    Bucket& bucket = bucket_of(sleeper.key);
    sleeper.bucket = &bucket;
    {
        const SpinGuard guard(bucket.lock);
        bucket.sleepers.push_back(sleeper);
    }
    // Only now is the word read: who changes it later finds the sleeper in the queue.
    const Result<std::uint32_t> value = load_user32(address);
    if (!value || *value != expected) {
        const bool woken = leave(sleeper);
        if (!value)
            return fail(value.error());
        if (!woken)
            return fail(Errno::Again);
        return {};
    }
    Result<> waited;
    while (waited) {
        Bucket* in = sleeper.bucket.load(std::memory_order_acquire);
        SpinGuard guard(in->lock);
        if (sleeper.woken.load(std::memory_order_acquire))
            break;
        if (in == sleeper.bucket.load(std::memory_order_acquire))
            waited = sleeper.queue.wait(guard, Sleep::Interruptible, deadline);
    }
    if (leave(sleeper))
        return {};
    return waited;
}

Result<std::uint32_t> futex_wake(UserAddr address, bool shared, std::uint32_t count,
                                 std::uint32_t mask) {
    const Key key = SKEP_TRY(key_of(address, shared));
    Bucket& bucket = bucket_of(key);
    const SpinGuard guard(bucket.lock);
    std::uint32_t woken = 0;
    for (Sleeper& s : bucket.sleepers) {
        if (woken >= count)
            break;
        if (s.key == key && s.mask & mask) {
            wake(s);
            woken++;
        }
    }
    return woken;
}

Result<std::uint32_t> futex_requeue(UserAddr address, UserAddr target, bool shared,
                                    std::uint32_t wake_count, std::uint32_t move,
                                    std::optional<std::uint32_t> expected) {
    const Key from_key = SKEP_TRY(key_of(address, shared)),
              to_key = SKEP_TRY(key_of(target, shared));
    if (expected && SKEP_TRY(load_user32(address)) != *expected)
        return fail(Errno::Again);
    Bucket &from = bucket_of(from_key), &to = bucket_of(to_key);
    // Two buckets are locked in the order of their addresses.
    Bucket *first = std::min(&from, &to), *second = std::max(&from, &to);
    const SpinGuard guard(first->lock);
    const bool two = first != second;
    const bool interrupts = two ? second->lock.lock() : false;
    std::uint32_t done = 0, moved = 0;
    for (Sleeper& s : from.sleepers) {
        if (s.key != from_key)
            continue;
        if (done < wake_count) {
            wake(s);
            done++;
        } else if (moved < move) {
            s.key = to_key;
            if (two) {
                List<Sleeper>::remove(s);
                to.sleepers.push_back(s);
                s.bucket.store(&to, std::memory_order_release);
            }
            moved++;
        } else {
            break;
        }
    }
    if (two)
        second->lock.unlock(interrupts);
    return done + moved;
}

}  // namespace skep::kernel
