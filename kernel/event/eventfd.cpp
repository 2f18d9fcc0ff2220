#include <kernel/event/eventfd.hpp>

namespace skep::kernel {

Result<std::size_t> EventFd::read(Uio& uio, std::uint64_t*) {
    if (uio.remaining() < sizeof(std::uint64_t))
        return fail(Errno::Inval);
    std::uint64_t value;
    {
        SpinGuard guard(lock_);
        while (!count_) {
            if (nonblocking())
                return fail(Errno::Again);
            SKEP_TRY(readers_.wait(guard));
        }
        value = semaphore_ ? 1 : count_;
        count_ -= value;
    }
    writers_.wake_all();
    events().notify(kWritable);
    return uio.put(&value, sizeof value);
}

Result<std::size_t> EventFd::write(Uio& uio, std::uint64_t*) {
    std::uint64_t value;
    if (uio.remaining() < sizeof value)
        return fail(Errno::Inval);
    if (SKEP_TRY(uio.take(&value, sizeof value)) != sizeof value)
        return fail(Errno::Fault);
    if (value == ~0ull)
        return fail(Errno::Inval);
    {
        SpinGuard guard(lock_);
        while (value > kMaximum - count_) {
            if (nonblocking())
                return fail(Errno::Again);
            SKEP_TRY(writers_.wait(guard));
        }
        count_ += value;
    }
    readers_.wake_all();
    events().notify(kReadable);
    return sizeof value;
}

Events EventFd::ready(Events interest) {
    SpinGuard guard(lock_);
    Events events = 0;
    if (count_)
        events |= kReadable;
    if (count_ < kMaximum)
        events |= kWritable;
    return events & interest;
}

}  // namespace skep::kernel
