// kevent(2) as the FreeBSD personality's calls 560 and 363 need it; they differ in the layout of
// their lists.
#pragma once

#include <kernel/event/kqueue.hpp>
#include <kernel/vfs/descriptor_table.hpp>

namespace skep::kernel {

// The two lists of the caller, in its memory and layout.
class KeventLists {
  public:
    virtual Result<Kevent> change(std::size_t index) = 0;
    virtual Result<> event(std::size_t index, const Kevent&) = 0;

  protected:
    ~KeventLists() = default;
};

// Applies the changes, then waits for at most `event_count` events until the deadline (0: does not
// sleep). A change that fails, or has EV_RECEIPT, is reported as an event while there is room, and
// then nothing is waited for. -> events written.
Result<std::size_t> kevent(Kqueue&, DescriptorTable&, KeventLists&, std::size_t change_count,
                           std::size_t event_count, Nanoseconds deadline);

}  // namespace skep::kernel
