// An event to deliver to a virtual CPU, in the format of the SDM's VM-entry interruption
// information (SDM vol. 3, table 25-17), which the hypercall interface uses too.
#pragma once

#include "hv/lib/types.hpp"

namespace skep::hv {

enum class EventType : u8 {
    ExternalInterrupt = 0,
    Nmi = 2,
    HardwareException = 3,
    SoftwareInterrupt = 4,
    PrivilegedSoftwareException = 5,
    SoftwareException = 6,
};

struct Event {
    u32 information = 0;
    u32 error_code = 0;

    static constexpr u32 kHasErrorCode = 1u << 11;
    static constexpr u32 kValid = 1u << 31;

    constexpr bool valid() const { return (information & kValid) != 0; }
    constexpr u8 vector() const { return static_cast<u8>(information); }
    constexpr EventType type() const { return static_cast<EventType>(information >> 8 & 7); }
    constexpr bool has_error_code() const { return (information & kHasErrorCode) != 0; }

    static constexpr Event make(EventType type, u8 vector) {
        return {kValid | static_cast<u32>(type) << 8 | vector, 0};
    }
    static constexpr Event exception(u8 vector) {
        return make(EventType::HardwareException, vector);
    }
    static constexpr Event exception(u8 vector, u32 error_code) {
        return {make(EventType::HardwareException, vector).information | kHasErrorCode, error_code};
    }
    static constexpr Event undefined_opcode() { return exception(6); }
    static constexpr Event general_protection() { return exception(13, 0); }
    static constexpr Event nmi() { return make(EventType::Nmi, 2); }
    static constexpr Event interrupt(u8 vector) {
        return make(EventType::ExternalInterrupt, vector);
    }
};

}  // namespace skep::hv
