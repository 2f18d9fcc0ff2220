// signalfd(2): reads take pending signals of the calling process.
#pragma once

#include <kernel/event/process_source.hpp>
#include <kernel/proc/signal_state.hpp>
#include <kernel/vfs/file.hpp>

namespace skep::kernel::linux_abi {

class SignalFd final : public File, private EventSubscriber {
  public:
    // `sources`: of the process that made it, whose signals make it readable.
    SignalFd(const SignalSet& set, ProcessSources sources, std::uint32_t flags);
    ~SignalFd() override;
    void set_mask(const SignalSet&);
    Result<std::size_t> read(Uio&, std::uint64_t*) override;
    Events ready(Events interest) override;
    SignalFd* signalfd() override { return this; }
    const char* description() const override { return "anon_inode:[signalfd]"; }

  private:
    void on_events(Events) override;
    SignalSet mask();

    SpinLock lock_{"SignalFd"};
    SignalSet set_;
    ProcessSources sources_;
};

}  // namespace skep::kernel::linux_abi
