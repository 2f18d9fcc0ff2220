// An open terminal.
#pragma once

#include <kernel/dev/tty/tty.hpp>
#include <kernel/vfs/ioctl.hpp>

namespace skep::kernel {

class TtyFile final : public File {
  public:
    TtyFile(Ref<Tty> tty, std::uint32_t flags) : File(FileKind::Tty, flags), tty_(std::move(tty)) {
        tty_->opened();
    }
    ~TtyFile() override { on_last_close(); }
    void on_last_close() override {
        if (!closed_.exchange(true))
            tty_->closed();
    }
    Result<std::size_t> read(Uio& uio, std::uint64_t*) override {
        return tty_->read(uio, nonblocking());
    }
    Result<std::size_t> write(Uio& uio, std::uint64_t*) override {
        return tty_->write(uio, nonblocking());
    }
    Result<std::uint64_t> ioctl(std::uint64_t request, UserAddr argument) override {
        if (request != kIoctlBytesReadable && request != kIoctlBytesWritable)
            return fail(Errno::NoTty);
        const int size =
            request == kIoctlBytesReadable ? static_cast<int>(tty_->input_available()) : 0;
        SKEP_TRY(copy_out(argument, size));
        return 0;
    }
    Events ready(Events interest) override { return tty_->ready(interest); }
    EventSource& events() override { return tty_->events(); }
    std::uint64_t amount(Events which) override {
        return which & kReadable ? tty_->input_available() : 1;
    }
    Tty* tty() override { return tty_.get(); }
    const char* description() const override { return "tty"; }

  private:
    Ref<Tty> tty_;
    std::atomic<bool> closed_{false};
};

}  // namespace skep::kernel
