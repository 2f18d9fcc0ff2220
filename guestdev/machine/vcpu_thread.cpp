#include <guestdev/machine/vcpu_thread.hpp>

namespace skep::guestdev {

VcpuThread::VcpuThread(unsigned index, abi::VcpuPage& page, Vmm& vmm, Board& board,
                       ExitHandler& exits, std::function<void(std::string)> crashed)
    : index_(index),
      page_(page),
      vmm_(vmm),
      board_(board),
      exits_(exits),
      crashed_(std::move(crashed)),
      thread_([this] { main(); }) {}

VcpuThread::~VcpuThread() {
    quit_ = true;
    request_park();
    {
        std::lock_guard lock(mutex_);
        changed_.notify_all();
    }
    thread_.join();
}

void VcpuThread::resume() {
    std::lock_guard lock(mutex_);
    running_ = true;
    parked_ = false;
    changed_.notify_all();
}

void VcpuThread::request_park() {
    running_ = false;
    vmm_.kick(index_);
}

void VcpuThread::wait_parked() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return parked_; });
}

void VcpuThread::set_extint(bool up) {
    extint_ = up;
    if (up)
        vmm_.kick(index_);
}

void VcpuThread::main() {
    while (true) {
        {
            std::unique_lock lock(mutex_);
            // Asked to park again before it woke up, it says so again.
            while (!running_ && !quit_) {
                parked_ = true;
                changed_.notify_all();
                changed_.wait(lock);
            }
            if (quit_)
                return;
            parked_ = false;
        }
        while (running_)
            step();
    }
}

// Hands the 8259's interrupt over if the vCPU takes it now, else asks to hear when it can. False if
// that failed for good.
bool VcpuThread::offer_extint() {
    page_.request_interrupt_window = 0;
    if (!extint_ || !page_.apic_accepts_extint)
        return true;
    if (!page_.ready_for_interrupt) {
        page_.request_interrupt_window = 1;
        return true;
    }
    std::lock_guard lock(board_.mutex());
    if (!board_.pic().output())
        return true;
    std::uint8_t vector = board_.pic().acknowledge();
    page_.ready_for_interrupt = 0;
    page_.request_interrupt_window = board_.pic().output();
    auto status = vmm_.inject(index_, abi::InjectKind::ExternalInterrupt, vector, 0);
    if (!status)
        crashed_(status.error().message);
    return status.has_value();
}

void VcpuThread::step() {
    if ((extint_ || page_.request_interrupt_window) && !offer_extint())
        return;
    auto end = vmm_.run(index_);
    if (!end) {
        crashed_(end.error().message);
        return;
    }
    if (*end == Vmm::RunEnd::Kicked)
        return;
    if (auto done = exits_.handle(index_, page_); !done)
        crashed_("vCPU " + std::to_string(index_) + ": " + done.error());
}

}  // namespace skep::guestdev
