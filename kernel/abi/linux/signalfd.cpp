#include <kernel/abi/linux/signalfd.hpp>

#include <kernel/abi/linux/signal_numbers.hpp>
#include <kernel/proc/signal.hpp>
#include <kernel/sched/clock.hpp>

namespace skep::kernel::linux_abi {

namespace {

struct SignalFdInfo {  // struct signalfd_siginfo
    std::uint32_t signal;
    std::int32_t error, code;
    std::uint32_t process, user;
    std::int32_t descriptor;
    std::uint32_t timer, band, overrun, trap;
    std::int32_t status, value;
    std::uint64_t pointer, user_time, system_time, address;
    std::uint16_t address_bits;
    std::uint8_t padding[46];
};
static_assert(sizeof(SignalFdInfo) == 128);

SignalFdInfo shown(const SignalInfo& info) {
    const LinuxSigInfo linux_info = to_linux_info(info);
    SignalFdInfo out{};
    out.signal = static_cast<std::uint32_t>(linux_info.signal);
    out.error = linux_info.error;
    out.code = linux_info.code;
    out.process = static_cast<std::uint32_t>(info.process);
    out.user = info.user;
    out.status = info.status;
    out.value = static_cast<std::int32_t>(info.value);
    out.pointer = info.value;
    out.address = info.address;
    return out;
}

}  // namespace

SignalFd::SignalFd(const SignalSet& set, ProcessSources sources, std::uint32_t flags)
    : File(FileKind::Event, flags | kOpenRead), set_(set), sources_(std::move(sources)) {
    sources_.signals->subscribe(*this);
}

SignalFd::~SignalFd() {
    sources_.signals->unsubscribe(*this);
}

void SignalFd::on_events(Events) {
    events().notify(kReadable);  // who listens asks ready() for the truth
}

SignalSet SignalFd::mask() {
    SpinGuard guard(lock_);
    return set_;
}

void SignalFd::set_mask(const SignalSet& set) {
    {
        SpinGuard guard(lock_);
        set_ = set;
    }
    events().notify(kReadable);
}

Result<std::size_t> SignalFd::read(Uio& uio, std::uint64_t*) {
    if (uio.remaining() < sizeof(SignalFdInfo))
        return fail(Errno::Inval);
    std::size_t done = 0;
    while (uio.remaining() >= sizeof(SignalFdInfo)) {
        const bool wait = done == 0 && !nonblocking();
        const auto info = wait_for_signal(mask(), wait ? kForever : 0);
        if (!info)
            return done ? Result<std::size_t>(done) : fail(info.error());
        const SignalFdInfo out = shown(*info);
        done += SKEP_TRY(uio.put(&out, sizeof out));
    }
    return done;
}

Events SignalFd::ready(Events interest) {
    Thread& me = current_thread();
    if (!me.process)
        return 0;
    const SignalSet set = mask();
    const SpinGuard guard(me.process->lock);
    return ((me.signals.pending.set() | me.process->pending.set()) & set).empty()
               ? 0
               : interest & kReadable;
}

}  // namespace skep::kernel::linux_abi
