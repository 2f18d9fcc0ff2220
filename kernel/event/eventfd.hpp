// eventfd(2): a counter with a descriptor.
#pragma once

#include <kernel/base/make.hpp>
#include <kernel/vfs/file.hpp>

namespace skep::kernel {

class EventFd final : public File {
  public:
    EventFd(std::uint64_t initial, bool semaphore, std::uint32_t flags)
        : File(FileKind::Event, flags | kOpenRead | kOpenWrite),
          semaphore_(semaphore),
          count_(initial) {}
    Result<std::size_t> read(Uio&, std::uint64_t*) override;
    Result<std::size_t> write(Uio&, std::uint64_t*) override;
    Events ready(Events interest) override;
    const char* description() const override { return "anon_inode:[eventfd]"; }

  private:
    static constexpr std::uint64_t kMaximum = ~0ull - 1;
    const bool semaphore_;
    SpinLock lock_{"EventFd"};
    WaitQueue readers_, writers_;
    std::uint64_t count_;
};

}  // namespace skep::kernel
