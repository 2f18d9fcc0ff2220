#include <kernel/dev/tty/uart16550.hpp>

#include <kernel/arch/x86_64/cpu.hpp>
#include <kernel/base/log.hpp>
#include <kernel/dev/interrupt.hpp>
#include <kernel/dev/random.hpp>
#include <kernel/sched/clock.hpp>
#include <kernel/sched/thread.hpp>

#include <algorithm>

namespace skep::kernel {

namespace {

enum Register : std::uint16_t {
    kData = 0,
    kInterruptEnable = 1,
    kInterruptIdentify = 2,
    kLineStatus = 5
};
constexpr std::uint8_t kReceiveInterrupt = 1;
constexpr std::uint8_t kDataReady = 0x01, kTransmitEmpty = 0x20;
constexpr std::size_t kFifo = 16;
// Emulators send at once; on a real line 16 characters take 1.4 ms.
constexpr int kSpins = 200;
constexpr Nanoseconds kNap = 500'000, kGiveUp = 200'000'000;

}  // namespace

Result<> Uart16550::start(Tty& tty, std::uint32_t interrupt_line) {
    tty_ = &tty;
    SKEP_TRY(start_kernel_thread("uart", run, this));
    SKEP_TRY(attach_interrupt(interrupt_line, Trigger::Edge, on_interrupt, this));
    out8(port_ + kInterruptEnable, kReceiveInterrupt);
    SpinGuard guard(lock_);
    drain();  // what came before
    return {};
}

// With lock_ held. Reading the identification and all data makes the line drop, so that the next
// byte is an edge.
void Uart16550::drain() {
    (void)in8(port_ + kInterruptIdentify);
    for (std::size_t i = 0; i < ring_.size() && (in8(port_ + kLineStatus) & kDataReady); i++) {
        const std::uint8_t byte = in8(port_ + kData);
        if (used_ < ring_.size())
            ring_[(start_ + used_++) % ring_.size()] = byte;
    }
}

void Uart16550::on_interrupt(void* context) {
    auto& self = *static_cast<Uart16550*>(context);
    {
        SpinGuard guard(self.lock_);
        self.drain();
    }
    self.received_.wake_one();
}

void Uart16550::run(void* context) {
    auto& self = *static_cast<Uart16550*>(context);
    for (;;) {
        std::array<std::uint8_t, 64> bytes;
        std::size_t size = 0;
        {
            SpinGuard guard(self.lock_);
            while (!self.used_)
                (void)self.received_.wait(guard, Sleep::Uninterruptible);
            for (; self.used_ && size < bytes.size(); self.used_--) {
                bytes[size++] = self.ring_[self.start_];
                self.start_ = (self.start_ + 1) % self.ring_.size();
            }
        }
        add_entropy(bytes.data(), size);  // mixes in when it came
        self.tty_->input({bytes.data(), size});
    }
}

std::size_t Uart16550::write(std::span<const std::uint8_t> bytes) {
    LogHold hold;  // the log's lines go to the same port
    std::size_t done = 0;
    while (done < bytes.size()) {
        const std::size_t sent = fill_fifo(bytes.subspan(done));
        if (!sent)
            break;  // no such line, or it is stuck
        done += sent;
    }
    return done;
}

// -> how many bytes the transmitter took; 0: it does not become empty.
std::size_t Uart16550::fill_fifo(std::span<const std::uint8_t> bytes) {
    const Nanoseconds give_up = monotonic_now() + kGiveUp;
    for (int spins = 0;; spins++) {
        {
            SpinGuard guard(lock_);
            if (in8(port_ + kLineStatus) & kTransmitEmpty) {
                const std::size_t size = std::min(bytes.size(), kFifo);
                for (std::size_t i = 0; i < size; i++)
                    out8(port_ + kData, bytes[i]);
                return size;
            }
        }
        if (spins < kSpins) {
            pause();
            continue;
        }
        if (monotonic_now() > give_up)
            return 0;
        sleep_until(monotonic_now() + kNap);
    }
}

}  // namespace skep::kernel
