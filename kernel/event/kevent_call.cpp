#include <kernel/event/kevent_call.hpp>

#include <kernel/event/kevent_buffer.hpp>

namespace skep::kernel {

namespace {

bool of_descriptor(std::int16_t filter) {
    return filter == kFilterRead || filter == kFilterWrite || filter == kFilterVnode;
}

Result<> apply(Kqueue& kqueue, DescriptorTable& table, const Kevent& change) {
    if (change.filter == kFilterPoll)  // ours alone
        return fail(Errno::Inval);
    Ref<File> file;
    if (of_descriptor(change.filter)) {
        if (change.ident > DescriptorTable::kMax)
            return fail(Errno::BadF);
        file = SKEP_TRY(table.get(static_cast<std::uint32_t>(change.ident)));
    }
    return kqueue.apply(change, file, &table);
}

}  // namespace

Result<std::size_t> kevent(Kqueue& kqueue, DescriptorTable& table, KeventLists& lists,
                           std::size_t change_count, std::size_t event_count,
                           Nanoseconds deadline) {
    std::size_t reported = 0;
    for (std::size_t i = 0; i < change_count; i++) {
        Kevent change = SKEP_TRY(lists.change(i));
        const auto applied = apply(kqueue, table, change);
        if (applied && !(change.flags & kEventReceipt))
            continue;
        if (reported == event_count) {
            if (!applied)
                return fail(applied.error());
            continue;
        }
        change.flags = kEventError;
        change.data = applied ? 0 : static_cast<std::int64_t>(applied.error());
        SKEP_TRY(lists.event(reported++, change));
    }
    if (reported || event_count == 0)
        return reported;
    KeventBuffer buffer;
    const std::span<Kevent> events = SKEP_TRY(buffer.take(event_count));
    const std::size_t found = SKEP_TRY(kqueue.wait(events, deadline));
    for (std::size_t i = 0; i < found; i++)
        SKEP_TRY(lists.event(i, events[i]));
    return found;
}

}  // namespace skep::kernel
