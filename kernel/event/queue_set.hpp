// The queues of a scheduled kqueue that take events: those of the threads that collect.
#pragma once

#include <kernel/event/event_queue.hpp>

#include <bit>

namespace skep::kernel {

// Changed under the kqueue's change lock, read without one: who activates a knote may be an
// interrupt handler. A reader may come upon a queue that has just left, or upon the same one twice;
// such a queue lives on (its kqueue owns it) and is not open.
class QueueSet {
  public:
    QueueSet() = default;
    ~QueueSet();
    QueueSet(const QueueSet&) = delete;
    QueueSet& operator=(const QueueSet&) = delete;

    Result<> add(EventQueue&);  // NoMem, Again: too many
    void remove(EventQueue&);
    std::uint32_t count() const { return count_.load(std::memory_order_acquire); }
    EventQueue& at(std::uint32_t index) const {  // below a count() that was
        return *slot(index).load(std::memory_order_acquire);
    }

  private:
    // Pieces of 8, 16, 32... slots, so that none ever moves.
    using Slot = std::atomic<EventQueue*>;
    static constexpr std::uint32_t kFirst = 8;
    static constexpr std::size_t kPieces = 14;
    static std::size_t piece_of(std::uint32_t index) {
        return static_cast<std::size_t>(std::bit_width(index / kFirst + 1)) - 1;
    }
    static std::uint32_t piece_size(std::size_t piece) { return kFirst << piece; }
    Slot& slot(std::uint32_t index) const {
        const std::size_t piece = piece_of(index);
        return pieces_[piece][index - (piece_size(piece) - kFirst)];
    }

    std::array<Slot*, kPieces> pieces_{};
    std::atomic<std::uint32_t> count_{0};
};

}  // namespace skep::kernel
