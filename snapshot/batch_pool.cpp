#include <snapshot/batch_pool.hpp>

#include <algorithm>
#include <system_error>

namespace skep::snapshot {

BatchPool::BatchPool(int compression_level, unsigned threads) {
    // Twice as many slots as threads: while the caller writes one batch out, nobody waits for it.
    const unsigned slots = threads > 1 ? 2 * threads : 1;
    slots_.reserve(slots);
    for (unsigned i = 0; i < slots; ++i)
        slots_.emplace_back(compression_level);
    try {
        for (unsigned i = 0; threads > 1 && i < threads; ++i)
            threads_.emplace_back([this] { work(); });
    } catch (const std::system_error&) {
        // Fewer threads do as well; without any the caller's own does the work.
    }
}

BatchPool::~BatchPool() {
    {
        std::lock_guard lock(mutex_);
        quit_ = true;
    }
    queued_changed_.notify_all();
    for (std::thread& thread : threads_)
        thread.join();
}

void BatchPool::encode_slot(Slot& slot) {
    slot.zero = is_zero(slot.pages);
    if (!slot.zero)
        slot.encoded = slot.encoder.encode(slot.start, slot.disk, slot.pages);
}

void BatchPool::work() {
    std::unique_lock lock(mutex_);
    while (true) {
        queued_changed_.wait(lock, [this] { return quit_ || begun_ < queued_; });
        if (quit_)
            return;
        Slot& mine = slot(begun_++);
        lock.unlock();
        encode_slot(mine);
        lock.lock();
        mine.done = true;
        done_changed_.notify_one();
    }
}

void BatchPool::queue(std::uint64_t start, std::uint32_t disk, std::span<const std::byte> pages) {
    std::lock_guard lock(mutex_);
    Slot& next = slot(queued_++);
    next.start = start;
    next.disk = disk;
    next.pages = pages;
    next.done = false;
    queued_changed_.notify_one();
}

BatchPool::Slot& BatchPool::wait_for(std::uint64_t number) {
    std::unique_lock lock(mutex_);
    Slot& wanted = slot(number);
    if (threads_.empty() && !wanted.done) {
        begun_ = number + 1;
        encode_slot(wanted);
        wanted.done = true;
    }
    done_changed_.wait(lock, [&] { return wanted.done; });
    return wanted;
}

Status BatchPool::encode(std::uint64_t start, std::uint32_t disk, std::span<const std::byte> pages,
                         std::size_t batch_bytes, const Take& take) {
    Status status;
    std::uint64_t sent = taken_;
    while (taken_ < sent || (status && !pages.empty())) {
        while (status && !pages.empty() && sent - taken_ < slots_.size()) {
            const auto part = pages.first(std::min(batch_bytes, pages.size()));
            queue(start, disk, part);
            ++sent;
            start += part.size();
            pages = pages.subspan(part.size());
        }
        Slot& done = wait_for(taken_++);
        if (!status)
            continue;  // only waits for what was begun
        if (done.zero)
            status = take(done.start, done.pages, nullptr);
        else if (!done.encoded)
            status = std::unexpected(done.encoded.error());
        else
            status = take(done.start, done.pages, &*done.encoded);
    }
    return status;
}

}  // namespace skep::snapshot
