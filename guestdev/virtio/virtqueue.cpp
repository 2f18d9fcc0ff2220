#include <guestdev/virtio/virtqueue.hpp>

#include <atomic>

namespace skep::guestdev {
namespace {

struct Descriptor {  // 2.7.5
    std::uint64_t address;
    std::uint32_t length;
    std::uint16_t flags;
    std::uint16_t next;
};
static_assert(sizeof(Descriptor) == 16);
enum DescriptorFlags : std::uint16_t {
    kNext = 1,
    kWrite = 2,
    kIndirect = 4
};

struct UsedElement {  // 2.7.8
    std::uint32_t id;
    std::uint32_t length;
};
constexpr std::uint16_t kNoInterrupt = 1;
// Offsets in both rings.
constexpr std::uint64_t kFlags = 0, kIndex = 2, kRing = 4;

std::unexpected<std::string> broken(std::string what) {
    return std::unexpected(std::move(what));
}

}  // namespace

std::expected<std::optional<DescriptorChain>, std::string> VirtQueue::pop(
    const GuestMemory& memory) {
    auto index = memory.read<std::uint16_t>(state.driver_area + kIndex);
    if (!index)
        return broken("the available ring is not in RAM");
    if (*index == state.next_available)
        return std::optional<DescriptorChain>();
    auto waiting = static_cast<std::uint16_t>(*index - state.next_available);
    if (waiting > state.size)
        return broken("the available ring holds more than the queue's size");
    // The entry was written before the index.
    std::atomic_thread_fence(std::memory_order_acquire);
    auto head = memory.read<std::uint16_t>(state.driver_area + kRing +
                                           2u * (state.next_available % state.size));
    if (!head)
        return broken("the available ring is not in RAM");

    DescriptorChain chain{.head = *head, .readable = {}, .writable = {}};
    std::uint64_t table = state.descriptors;
    std::uint32_t table_size = state.size;
    std::uint32_t at = *head;
    bool indirect = false;
    for (std::uint32_t length = 0;; length++) {
        if (length >= table_size)
            return broken("a descriptor chain is a loop");
        if (at >= table_size)
            return broken("a descriptor index is out of range");
        auto descriptor = memory.read<Descriptor>(table + 16ull * at);
        if (!descriptor)
            return broken("a descriptor table is not in RAM");
        if (descriptor->flags & kIndirect) {
            if (indirect || descriptor->flags & kNext || descriptor->length % sizeof(Descriptor) ||
                descriptor->length == 0)
                return broken("a malformed indirect descriptor");
            indirect = true;
            table = descriptor->address;
            table_size = std::min<std::uint32_t>(descriptor->length / 16, state.size);
            at = 0;
            length = ~0u;
            continue;
        }
        auto bytes = memory.at(descriptor->address, descriptor->length);
        if (!bytes)
            return broken("a buffer is not in RAM");
        if (descriptor->flags & kWrite)
            chain.writable.push_back(*bytes);
        else if (chain.writable.empty())
            chain.readable.push_back(*bytes);
        else
            return broken("a readable buffer follows a writable one");
        if (!(descriptor->flags & kNext))
            break;
        at = descriptor->next;
    }
    state.next_available++;
    return chain;
}

std::expected<void, std::string> VirtQueue::push(const GuestMemory& memory, std::uint16_t head,
                                                 std::uint32_t written) {
    std::uint64_t slot = state.device_area + kRing + 8u * (state.next_used % state.size);
    if (!memory.write(slot, UsedElement{head, written}))
        return broken("the used ring is not in RAM");
    std::atomic_thread_fence(std::memory_order_release);
    if (!memory.write(state.device_area + kIndex, static_cast<std::uint16_t>(state.next_used + 1)))
        return broken("the used ring is not in RAM");
    state.next_used++;
    return {};
}

bool VirtQueue::wants_interrupt(const GuestMemory& memory) const {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return !(memory.read<std::uint16_t>(state.driver_area + kFlags).value_or(0) & kNoInterrupt);
}

}  // namespace skep::guestdev
