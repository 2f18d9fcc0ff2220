#include <guestdev/uart16550/uart16550.hpp>

namespace skep::guestdev {
namespace {

enum Register : unsigned {
    kData = 0,             // RBR, THR; divisor low with DLAB
    kInterruptEnable = 1,  // IER; divisor high with DLAB
    kInterruptId = 2,      // IIR, FCR
    kLineControl = 3,
    kModemControl = 4,
    kLineStatus = 5,
    kModemStatus = 6,
    kScratch = 7,
};
enum InterruptEnable : std::uint8_t {
    kEnableReceive = 1,
    kEnableTransmit = 2,
    kEnableLineStatus = 4,
    kEnableModemStatus = 8,
};
enum InterruptId : std::uint8_t {  // table V
    kIdNone = 0x1,
    kIdModemStatus = 0x0,
    kIdTransmit = 0x2,
    kIdReceive = 0x4,
    kIdLineStatus = 0x6,
    kIdTimeout = 0xc,
    kIdFifosEnabled = 0xc0,
};
enum FifoControl : std::uint8_t {
    kFifoEnable = 1,
    kFifoResetReceive = 2,
    kFifoKept = 0xc9
};
constexpr std::uint8_t kDivisorLatchAccess = 0x80;
enum ModemControl : std::uint8_t {
    kOut2 = 8,
    kLoop = 0x10,
    kModemControlMask = 0x1f
};
enum LineStatus : std::uint8_t {
    kDataReady = 1,
    kOverrun = 2,
    kTransmitHoldingEmpty = 0x20,
    kTransmitterEmpty = 0x40,
};

unsigned trigger_level(std::uint8_t fifo_control) {
    constexpr std::array<unsigned, 4> kLevels = {1, 4, 8, 14};
    return fifo_control & kFifoEnable ? kLevels[fifo_control >> 6] : 1;
}

}  // namespace

std::optional<std::string> Uart16550::check(const State& state) {
    if (state.interrupt_enable > 0x0f)
        return "interrupt enable register out of range";
    if (state.fifo_control & ~kFifoKept)
        return "FIFO control register out of range";
    if (state.modem_control > kModemControlMask)
        return "modem control register out of range";
    if (state.receive_fifo.size() > kFifoSize)
        return "receive FIFO holds more than 16 bytes";
    return std::nullopt;
}

bool Uart16550::loopback() const {
    return state_.modem_control & kLoop;
}

unsigned Uart16550::receive_capacity() const {
    return state_.fifo_control & kFifoEnable ? kFifoSize : 1;
}

bool Uart16550::can_receive() const {
    return !loopback() && state_.receive_fifo.size() < receive_capacity();
}

void Uart16550::receive(std::uint8_t byte) {
    if (state_.receive_fifo.size() >= receive_capacity()) {
        state_.overrun = true;
        return;
    }
    state_.receive_fifo.push_back(byte);
}

std::uint8_t Uart16550::line_status() const {
    std::uint8_t value = kTransmitHoldingEmpty | kTransmitterEmpty;
    if (!state_.receive_fifo.empty())
        value |= kDataReady;
    if (state_.overrun)
        value |= kOverrun;
    return value;
}

std::uint8_t Uart16550::modem_status() const {
    if (!loopback())
        return state_.modem_lines | state_.modem_delta;
    // 8.7: in loopback the outputs are wired to the inputs: RTS-CTS, DTR-DSR, OUT1-RI, OUT2-DCD.
    std::uint8_t control = state_.modem_control;
    return static_cast<std::uint8_t>((control & 2) << 3 | (control & 1) << 5 | (control & 4) << 4 |
                                     (control & 8) << 4 | state_.modem_delta);
}

std::uint8_t Uart16550::interrupt_identification() const {
    std::uint8_t enable = state_.interrupt_enable;
    if ((enable & kEnableLineStatus) && state_.overrun)
        return kIdLineStatus;
    if ((enable & kEnableReceive) && !state_.receive_fifo.empty())
        return state_.receive_fifo.size() >= trigger_level(state_.fifo_control) ? kIdReceive
                                                                                : kIdTimeout;
    if ((enable & kEnableTransmit) && state_.transmit_empty_pending)
        return kIdTransmit;
    if ((enable & kEnableModemStatus) && state_.modem_delta)
        return kIdModemStatus;
    return kIdNone;
}

bool Uart16550::interrupt() const {
    return interrupt_identification() != kIdNone && (state_.modem_control & kOut2);
}

std::uint8_t Uart16550::read(unsigned reg) {
    bool latch = state_.line_control & kDivisorLatchAccess;
    switch (reg) {
        case kData: {
            if (latch)
                return state_.divisor & 0xff;
            if (state_.receive_fifo.empty())
                return 0;
            std::uint8_t byte = state_.receive_fifo.front();
            state_.receive_fifo.pop_front();
            return byte;
        }
        case kInterruptEnable:
            return latch ? state_.divisor >> 8 : state_.interrupt_enable;
        case kInterruptId: {
            std::uint8_t id = interrupt_identification();
            if (id == kIdTransmit)
                state_.transmit_empty_pending = false;
            return id | (state_.fifo_control & kFifoEnable ? kIdFifosEnabled : 0);
        }
        case kLineControl:
            return state_.line_control;
        case kModemControl:
            return state_.modem_control;
        case kLineStatus: {
            std::uint8_t value = line_status();
            state_.overrun = false;
            return value;
        }
        case kModemStatus: {
            std::uint8_t value = modem_status();
            state_.modem_delta = 0;
            return value;
        }
        case kScratch:
            return state_.scratch;
        default:
            return 0xff;
    }
}

std::optional<std::uint8_t> Uart16550::write(unsigned reg, std::uint8_t value) {
    bool latch = state_.line_control & kDivisorLatchAccess;
    switch (reg) {
        case kData:
            if (latch) {
                state_.divisor = static_cast<std::uint16_t>((state_.divisor & 0xff00) | value);
                break;
            }
            state_.transmit_empty_pending = true;  // sent and empty again at once
            if (loopback()) {
                receive(value);
                break;
            }
            return value;
        case kInterruptEnable:
            if (latch) {
                state_.divisor = static_cast<std::uint16_t>((state_.divisor & 0x00ff) | value << 8);
                break;
            }
            // 8.6: enabling the interrupt while the holding register is empty raises it.
            if ((value & kEnableTransmit) && !(state_.interrupt_enable & kEnableTransmit))
                state_.transmit_empty_pending = true;
            state_.interrupt_enable = value & 0x0f;
            break;
        case kInterruptId:
            if ((value ^ state_.fifo_control) & kFifoEnable || value & kFifoResetReceive)
                state_.receive_fifo.clear();
            state_.fifo_control = value & kFifoEnable ? value & kFifoKept : 0;
            break;
        case kLineControl:
            state_.line_control = value;
            break;
        case kModemControl: {
            std::uint8_t before = modem_status();
            state_.modem_control = value & kModemControlMask;
            // Delta bits 0..3 mirror changes of bits 4..7; RI counts its trailing edge only.
            std::uint8_t after = modem_status();
            auto changed = static_cast<std::uint8_t>((before ^ after) >> 4);
            if (after & 0x40)
                changed &= static_cast<std::uint8_t>(~4);
            state_.modem_delta |= changed;
            break;
        }
        case kScratch:
            state_.scratch = value;
            break;
        default:
            break;
    }
    return std::nullopt;
}

}  // namespace skep::guestdev
