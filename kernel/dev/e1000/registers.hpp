// Registers, bits and descriptors of the 8254x (Software Developer's Manual 4.0, chapters 3 and
// 13).
#pragma once

#include <cstddef>
#include <cstdint>

namespace skep::kernel::e1000 {

enum class Register : std::uint32_t {
    Ctrl = 0x0000,
    Status = 0x0008,
    Eerd = 0x0014,
    Icr = 0x00c0,
    Itr = 0x00c4,
    Ims = 0x00d0,
    Imc = 0x00d8,
    Rctl = 0x0100,
    Tctl = 0x0400,
    Tipg = 0x0410,
    Rdbal = 0x2800,
    Rdbah = 0x2804,
    Rdlen = 0x2808,
    Rdh = 0x2810,
    Rdt = 0x2818,
    Tdbal = 0x3800,
    Tdbah = 0x3804,
    Tdlen = 0x3808,
    Tdh = 0x3810,
    Tdt = 0x3818,
    Mta = 0x5200,  // 128 registers
    Ral0 = 0x5400,
    Rah0 = 0x5404,
};
inline constexpr std::size_t kRegisterSpace = 0x20000;
inline constexpr unsigned kMulticastRegisters = 128;

inline constexpr std::uint32_t kCtrlSetLinkUp = 1u << 6;
inline constexpr std::uint32_t kCtrlReset = 1u << 26;

inline constexpr std::uint32_t kEerdStart = 1;
inline constexpr std::uint32_t kEerdDone = 1u << 4;
inline constexpr unsigned kEerdAddressShift = 8;
inline constexpr unsigned kEerdDataShift = 16;

inline constexpr std::uint32_t kRahValid = 1u << 31;

// Interrupt causes
inline constexpr std::uint32_t kCauseLinkChange = 1u << 2;
inline constexpr std::uint32_t kCauseReceiveMinimum = 1u << 4;
inline constexpr std::uint32_t kCauseReceiveOverrun = 1u << 6;
inline constexpr std::uint32_t kCauseReceiveTimer = 1u << 7;
inline constexpr std::uint32_t kReceiveCauses =
    kCauseLinkChange | kCauseReceiveMinimum | kCauseReceiveOverrun | kCauseReceiveTimer;

inline constexpr std::uint32_t kRctlEnable = 1u << 1;
inline constexpr std::uint32_t kRctlMulticastAll = 1u << 4;
inline constexpr std::uint32_t kRctlBroadcast = 1u << 15;
inline constexpr std::uint32_t kRctlStripCrc = 1u << 26;  // buffer size bits 0: 2048 bytes

inline constexpr std::uint32_t kTctlEnable = 1u << 1;
inline constexpr std::uint32_t kTctlPadShort = 1u << 3;
inline constexpr std::uint32_t kTctlCollisions =
    0x0f << 4 | 0x40 << 12;  // threshold, distance (13.4.33)
inline constexpr std::uint32_t kTipgCopper = 10 | 8 << 10 | 6 << 20;  // table 13-77

struct ReceiveDescriptor {
    std::uint64_t address;
    volatile std::uint16_t length;
    std::uint16_t checksum;
    volatile std::uint8_t status;
    volatile std::uint8_t errors;
    std::uint16_t special;
};
static_assert(sizeof(ReceiveDescriptor) == 16);
inline constexpr std::uint8_t kReceiveDone = 1;
inline constexpr std::uint8_t kReceiveEndOfPacket = 2;
// CRC, symbol, sequence, carrier extension, RX data errors; the checksum errors are the stack's.
inline constexpr std::uint8_t kReceiveFrameErrors = 0x97;

struct TransmitDescriptor {
    std::uint64_t address;
    std::uint16_t length;
    std::uint8_t checksum_offset;
    std::uint8_t command;
    volatile std::uint8_t status;
    std::uint8_t checksum_start;
    std::uint16_t special;
};
static_assert(sizeof(TransmitDescriptor) == 16);
inline constexpr std::uint8_t kTransmitEndOfPacket = 1;
inline constexpr std::uint8_t kTransmitInsertFcs = 2;
inline constexpr std::uint8_t kTransmitReportStatus = 8;
inline constexpr std::uint8_t kTransmitDone = 1;

}  // namespace skep::kernel::e1000
