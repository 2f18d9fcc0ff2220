#include <kernel/abi/poll.hpp>

#include <kernel/abi/arguments.hpp>
#include <kernel/event/poll.hpp>

#include <algorithm>

namespace skep::kernel::abi {

namespace {

struct PollFd {
    std::int32_t descriptor;
    std::int16_t events, result;
};
static_assert(sizeof(PollFd) == 8);
constexpr std::int16_t kPollNval = 0x20;  // alike in both

constexpr std::uint32_t kWordBits = 64;

}  // namespace

Result<std::uint64_t> poll_descriptors(UserAddr address, std::uint32_t count, Nanoseconds deadline,
                                       const PollBits& bits) {
    if (count > current_descriptor_limit())
        return fail(Errno::Inval);
    Vector<PollFd> entries;
    Vector<PollItem> items;
    SKEP_TRY(entries.resize(count));
    SKEP_TRY(items.reserve(count));
    if (count)
        SKEP_TRY(copy_in(entries.data(), address, count * sizeof(PollFd)));
    bool invalid = false;
    for (std::size_t i = 0; i < count; i++) {
        PollItem item;
        entries[i].result = 0;
        if (entries[i].descriptor >= 0) {
            auto file = file_argument(static_cast<std::uint32_t>(entries[i].descriptor));
            if (file) {
                item.file = std::move(*file);
                item.interest = bits.to_events(static_cast<std::uint16_t>(entries[i].events));
            } else {
                entries[i].result = kPollNval;
                invalid = true;
            }
        }
        SKEP_TRY(items.push_back(std::move(item)));
    }
    SKEP_TRY(poll_files(items.span(), invalid ? 0 : deadline));
    for (std::size_t i = 0; i < count; i++)
        if (items[i].file)
            entries[i].result = static_cast<std::int16_t>(
                bits.to_poll(items[i].result, static_cast<std::uint16_t>(entries[i].events)));
    if (count)
        SKEP_TRY(copy_out(address, entries.data(), count * sizeof(PollFd)));
    return static_cast<std::uint64_t>(
        std::ranges::count_if(entries, [](const PollFd& e) { return e.result != 0; }));
}

Result<std::uint64_t> select_descriptors(std::uint32_t count, const std::array<UserAddr, 3>& sets,
                                         Nanoseconds deadline) {
    constexpr std::array<Events, 3> kInterest{kReadable, kWritable, kPriority};
    constexpr std::array<Events, 3> kCounts{kReadable | kHangup | kError, kWritable | kError,
                                            kPriority};
    const std::size_t words = (count + kWordBits - 1) / kWordBits;
    std::array<Vector<std::uint64_t>, 3> bits;
    for (std::size_t s = 0; s < sets.size(); s++) {
        SKEP_TRY(bits[s].resize(words));
        if (sets[s] && words)
            SKEP_TRY(copy_in(bits[s].data(), sets[s], words * sizeof(std::uint64_t)));
    }
    Vector<PollItem> items;
    Vector<std::uint32_t> numbers;
    for (std::uint32_t descriptor = 0; descriptor < count; descriptor++) {
        Events interest = 0;
        for (std::size_t s = 0; s < sets.size(); s++)
            if (bits[s][descriptor / kWordBits] >> descriptor % kWordBits & 1)
                interest |= kInterest[s];
        if (!interest)
            continue;
        PollItem item;
        item.file = SKEP_TRY(file_argument(descriptor));
        item.interest = interest;
        SKEP_TRY(items.push_back(std::move(item)));
        SKEP_TRY(numbers.push_back(descriptor));
    }
    SKEP_TRY(poll_files(items.span(), deadline));
    std::uint64_t found = 0;
    for (std::size_t s = 0; s < sets.size(); s++) {
        for (std::size_t i = 0; i < items.size(); i++) {
            std::uint64_t& word = bits[s][numbers[i] / kWordBits];
            const std::uint64_t bit = std::uint64_t{1} << numbers[i] % kWordBits;
            if (!(word & bit))
                continue;
            if (items[i].result & kCounts[s])
                found++;
            else
                word &= ~bit;
        }
        if (sets[s] && words)
            SKEP_TRY(copy_out(sets[s], bits[s].data(), words * sizeof(std::uint64_t)));
    }
    return found;
}

}  // namespace skep::kernel::abi
