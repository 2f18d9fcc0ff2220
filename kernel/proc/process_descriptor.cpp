#include <kernel/proc/process_descriptor.hpp>

#include <kernel/proc/signal.hpp>

namespace skep::kernel {

void ProcessDescriptor::bind(Process& child) {
    child_ = Ref<Process>(&child);
    child.descriptor = this;
}

Result<> ProcessDescriptor::kill(const SignalInfo& info) {
    const SpinGuard guard(process_lock);
    if (!child_ || child_->state == ProcessState::Zombie)
        return fail(Errno::Srch);
    send_signal(*child_, info);
    return {};
}

Events ProcessDescriptor::ready(Events) {
    const SpinGuard guard(process_lock);
    return child_ && child_->state == ProcessState::Zombie ? kHangup : 0;
}

void ProcessDescriptor::let_go() {
    const SpinGuard guard(process_lock);
    if (!child_ || child_->descriptor != this)
        return;
    child_->descriptor = nullptr;
    if (!child_->parent)
        return;  // waited for already
    if (!daemon_ && child_->state != ProcessState::Zombie)
        send_signal(*child_, {.signal = Signal::Kill});
    leave_to_reaper(*child_);
}

}  // namespace skep::kernel
