#include "hv/lib/log.hpp"

#include "hv/arch/instructions.hpp"
#include "hv/lib/screen.hpp"

namespace skep::hv {

Spinlock log_lock;
std::atomic<bool> stopping{false};

namespace {

// 16550 UART, TL16C550D data sheet, table 3.
constexpr u16 kCom1 = 0x3f8;
constexpr u16 kData = 0, kInterruptEnable = 1, kFifoControl = 2, kLineControl = 3,
              kModemControl = 4, kLineStatus = 5;
constexpr u8 kTransmitterEmpty = 0x20;

void send(char c) {
    // Bounded: a machine without a UART reads all ones or zeros and must boot all the same.
    for (unsigned tries = 0; tries < 100'000; ++tries) {
        if ((in8(kCom1 + kLineStatus) & kTransmitterEmpty) != 0)
            break;
    }
    out8(kCom1 + kData, static_cast<u8>(c));
}

}  // namespace

void SerialSink::put(char c) {
    if (c == '\n')
        send('\r');
    send(c);
}

void LogSink::put(char c) {
    SerialSink().put(c);
    text_screen().put(c);
}

void init_serial() {
    out8(kCom1 + kInterruptEnable, 0);
    out8(kCom1 + kLineControl, 0x80);  // divisor latch
    out8(kCom1 + kData, 1);            // 115200 baud
    out8(kCom1 + kInterruptEnable, 0);
    out8(kCom1 + kLineControl, 0x03);  // 8N1
    out8(kCom1 + kFifoControl, 0x07);
    out8(kCom1 + kModemControl, 0x03);
}

}  // namespace skep::hv
