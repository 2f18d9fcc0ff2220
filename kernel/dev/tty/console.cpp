#include <kernel/dev/tty/console.hpp>

#include <kernel/arch/x86_64/serial.hpp>
#include <kernel/base/log.hpp>
#include <kernel/dev/tty/pty.hpp>
#include <kernel/dev/tty/screen.hpp>
#include <kernel/dev/tty/uart16550.hpp>
#include <kernel/vfs/device.hpp>

namespace skep::kernel {

namespace {

constexpr std::uint32_t kCom1Line = 4;  // ISA IRQ
// As Linux numbers them (admin-guide/devices.txt).
constexpr std::uint32_t kTtyMajor = 5, kTtyMinor = 0, kConsoleMinor = 1, kSerialMajor = 4,
                        kSerialMinor = 64;

// The serial line and, where there is one, the screen show the same.
class ConsoleOutput final : public TtyDriver {
  public:
    explicit ConsoleOutput(Uart16550& uart) : uart_(uart) {}
    std::size_t write(std::span<const std::uint8_t> bytes) override {
        const std::size_t taken = uart_.write(bytes);
        screen_write(taken ? bytes.first(taken) : bytes);
        return taken;
    }

  private:
    Uart16550& uart_;
};

class TtyDevice final : public Device {
  public:
    explicit TtyDevice(Ref<Tty> tty) : tty_(std::move(tty)) {}
    Result<Ref<File>> open(std::uint32_t flags) override { return tty_->open(flags); }

  private:
    Ref<Tty> tty_;
};

class ControllingTtyDevice final : public Device {
  public:
    Result<Ref<File>> open(std::uint32_t flags) override {
        Ref<Tty> tty = Tty::controlling();
        if (!tty)
            return fail(Errno::NxIo);
        return tty->open(flags);
    }
};

}  // namespace

Result<> init_console(const std::optional<FramebufferMode>& framebuffer) {
    static Uart16550* uart = new (std::nothrow) Uart16550(kCom1);
    if (!uart)
        return fail(Errno::NoMem);
    static ConsoleOutput* output = new (std::nothrow) ConsoleOutput(*uart);
    if (!output)
        return fail(Errno::NoMem);
    Ref<Tty> tty = SKEP_TRY(
        make_ref<Tty>(*output, WindowSize{.rows = 24, .columns = 80, .width = 0, .height = 0}));
    Ref<TtyDevice> device = SKEP_TRY(make_ref<TtyDevice>(tty));
    tty->set_device_number(device_number(kTtyMajor, kConsoleMinor));
    SKEP_TRY(register_device(
        {.name = "console", .permissions = 0600, .number = device_number(kTtyMajor, kConsoleMinor)},
        device));
    SKEP_TRY(register_device(
        {.name = "ttyS0", .permissions = 0620, .number = device_number(kSerialMajor, kSerialMinor)},
        device));
    Ref<ControllingTtyDevice> controlling = SKEP_TRY(make_ref<ControllingTtyDevice>());
    SKEP_TRY(register_device(
        {.name = "tty", .permissions = 0666, .number = device_number(kTtyMajor, kTtyMinor)},
        controlling));
    SKEP_TRY(register_ptys());
    if (init_screen(framebuffer))
        if (auto keyboard = start_keyboard(*tty); !keyboard)
            log("console: a screen, but no keyboard (error {})",
                static_cast<unsigned>(keyboard.error()));
    return uart->start(*tty, kCom1Line);
}

}  // namespace skep::kernel
