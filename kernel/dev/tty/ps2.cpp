// The i8042 keyboard controller (IBM PC/AT Technical Reference, "Keyboard Controller"): scan codes
// come on IRQ 1; a thread hands their bytes to the terminal.
#include <kernel/dev/interrupt.hpp>
#include <kernel/dev/port_io.hpp>
#include <kernel/dev/random.hpp>
#include <kernel/dev/tty/keyboard.hpp>
#include <kernel/dev/tty/screen.hpp>
#include <kernel/sched/thread.hpp>

#include <array>
#include <new>

namespace skep::kernel {

namespace {

constexpr std::uint16_t kData = 0x60, kStatus = 0x64, kCommand = 0x64;
constexpr std::uint8_t kOutputFull = 1, kInputFull = 2, kFromMouse = 0x20;
constexpr std::uint8_t kReadConfiguration = 0x20, kWriteConfiguration = 0x60,
                       kEnableKeyboard = 0xae;
constexpr std::uint8_t kKeyboardInterrupt = 0x01, kKeyboardClockOff = 0x10, kTranslate = 0x40;
constexpr std::uint32_t kKeyboardLine = 1;  // ISA IRQ
constexpr int kSpins = 100'000;

bool wait_status(std::uint8_t mask, std::uint8_t value) {
    for (int i = 0; i < kSpins; i++)
        if ((in8(kStatus) & mask) == value)
            return true;
    return false;
}

class KeyboardInput {
  public:
    explicit KeyboardInput(Tty& tty) : tty_(tty) {}
    Result<> start();

  private:
    static void on_interrupt(void* self);
    static void run(void* self);

    Tty& tty_;
    SpinLock lock_{"keyboard"};
    WaitQueue received_;
    std::array<std::uint8_t, 64> ring_;  // what comes when it is full is lost
    std::size_t start_ = 0, used_ = 0;
};

void KeyboardInput::on_interrupt(void* context) {
    auto& self = *static_cast<KeyboardInput*>(context);
    {
        SpinGuard guard(self.lock_);
        for (int i = 0; i < 16; i++) {
            const std::uint8_t status = in8(kStatus);
            if (!(status & kOutputFull))
                break;
            const std::uint8_t code = in8(kData);
            if (!(status & kFromMouse) && self.used_ < self.ring_.size())
                self.ring_[(self.start_ + self.used_++) % self.ring_.size()] = code;
        }
    }
    self.received_.wake_one();
}

void KeyboardInput::run(void* context) {
    auto& self = *static_cast<KeyboardInput*>(context);
    Keyboard keyboard;
    for (;;) {
        std::uint8_t code;
        {
            SpinGuard guard(self.lock_);
            while (!self.used_)
                (void)self.received_.wait(guard, Sleep::Uninterruptible);
            code = self.ring_[self.start_];
            self.start_ = (self.start_ + 1) % self.ring_.size();
            self.used_--;
        }
        add_entropy(&code, sizeof code);
        const std::string_view text = keyboard.scan(code);
        if (!text.empty())
            self.tty_.input({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    }
}

Result<> KeyboardInput::start() {
    if (in8(kStatus) == 0xff || !wait_status(kInputFull, 0))
        return fail(Errno::NoDev);
    for (int i = 0; i < 32 && (in8(kStatus) & kOutputFull); i++)
        (void)in8(kData);  // what was typed at the boot loader
    out8(kCommand, kReadConfiguration);
    if (!wait_status(kOutputFull, kOutputFull))
        return fail(Errno::NoDev);
    const std::uint8_t configuration = in8(kData);
    SKEP_TRY(start_kernel_thread("keyboard", run, this));
    SKEP_TRY(attach_interrupt(kKeyboardLine, Trigger::Edge, on_interrupt, this));
    out8(kCommand, kWriteConfiguration);
    if (!wait_status(kInputFull, 0))
        return fail(Errno::Io);
    out8(kData, static_cast<std::uint8_t>((configuration | kKeyboardInterrupt | kTranslate) &
                                          ~kKeyboardClockOff));
    if (!wait_status(kInputFull, 0))
        return fail(Errno::Io);
    out8(kCommand, kEnableKeyboard);
    return {};
}

}  // namespace

Result<> start_keyboard(Tty& tty) {
    static KeyboardInput* keyboard = new (std::nothrow) KeyboardInput(tty);
    return keyboard ? keyboard->start() : fail(Errno::NoMem);
}

}  // namespace skep::kernel
