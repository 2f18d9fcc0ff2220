#include <kernel/arch/x86_64/serial.hpp>

#include <kernel/arch/x86_64/cpu.hpp>

namespace skep::kernel {

namespace {

// 16550 registers, as offsets from the port base (PC16550D data sheet, table II).
constexpr std::uint16_t kTransmit = 0, kDivisorLow = 0, kDivisorHigh = 1, kFifoControl = 2,
                        kLineControl = 3, kModemControl = 4, kLineStatus = 5;
constexpr std::uint8_t kDivisorLatch = 0x80, k8N1 = 0x03, kFifoEnableAndClear = 0x07;
constexpr std::uint8_t kDtrRtsOut2 = 0x0b;  // OUT2 gates the interrupt line on PCs
constexpr std::uint8_t kTransmitEmpty = 0x20;

void put(char c) {
    // A port without a UART reads 0xff and is "ready": the bound only guards against a stuck one.
    for (int i = 0; i < 1'000'000 && !(in8(kCom1 + kLineStatus) & kTransmitEmpty); i++)
        pause();
    out8(kCom1 + kTransmit, static_cast<std::uint8_t>(c));
}

}  // namespace

void serial_init() {
    out8(kCom1 + kLineControl, kDivisorLatch);
    out8(kCom1 + kDivisorLow, 1);
    out8(kCom1 + kDivisorHigh, 0);
    out8(kCom1 + kLineControl, k8N1);
    out8(kCom1 + kFifoControl, kFifoEnableAndClear);
    out8(kCom1 + kModemControl, kDtrRtsOut2);
}

void serial_write(std::string_view text) {
    for (char c : text) {
        if (c == '\n')
            put('\r');
        put(c);
    }
}

}  // namespace skep::kernel
