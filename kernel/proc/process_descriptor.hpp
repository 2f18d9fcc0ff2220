// pdfork(2): a child known by a descriptor. Closing the last one kills the child and hands it to
// init; waiting for any child does not find it, waiting for its number does.
#pragma once

#include <kernel/proc/process.hpp>
#include <kernel/vfs/file.hpp>

namespace skep::kernel {

class ProcessDescriptor final : public File {
  public:
    // `daemon`: the child lives on without descriptors (PD_DAEMON).
    explicit ProcessDescriptor(bool daemon)
        : File(FileKind::Event, kOpenRead | kOpenWrite), daemon_(daemon) {}
    ~ProcessDescriptor() override {
        let_go();
    }  // one that lost its number before the child was there
    // Once, before the child runs; with process_lock held.
    void bind(Process& child);
    void child_ended() { events().notify(kHangup); }  // with process_lock held

    ProcessId id() const { return child_ ? child_->id : 0; }
    // Srch: it has ended. Signal::None only checks.
    Result<> kill(const SignalInfo& info);

    Events ready(Events interest) override;
    void on_last_close() override { let_go(); }
    ProcessDescriptor* process_descriptor() override { return this; }
    const char* description() const override { return "process"; }

  private:
    void let_go();
    const bool daemon_;
    Ref<Process> child_;
};

// A child that its parent gives up: its reaper waits for it. With process_lock held.
void leave_to_reaper(Process& child);

}  // namespace skep::kernel
