#include <kernel/event/queue_set.hpp>

#include <new>

namespace skep::kernel {

QueueSet::~QueueSet() {
    for (Slot* piece : pieces_)
        delete[] piece;
}

Result<> QueueSet::add(EventQueue& queue) {
    const std::uint32_t index = count_.load(std::memory_order_relaxed);
    const std::size_t piece = piece_of(index);
    if (piece >= kPieces)
        return fail(Errno::Again);
    if (!pieces_[piece]) {
        pieces_[piece] = new (std::nothrow) Slot[piece_size(piece)];
        if (!pieces_[piece])
            return fail(Errno::NoMem);
    }
    queue.place = index;
    slot(index).store(&queue, std::memory_order_release);
    count_.store(index + 1, std::memory_order_release);
    return {};
}

// The last one takes its place.
void QueueSet::remove(EventQueue& queue) {
    const std::uint32_t last = count_.load(std::memory_order_relaxed) - 1;
    EventQueue& moved = at(last);
    moved.place = queue.place;
    slot(queue.place).store(&moved, std::memory_order_release);
    count_.store(last, std::memory_order_release);
}

}  // namespace skep::kernel
