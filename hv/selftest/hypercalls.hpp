// The hypercalls as the root domain's kernel makes them.
#pragma once

#include "hv/abi/hypercall.hpp"
#include "hv/abi/vcpu.hpp"
#include "hv/lib/types.hpp"

namespace skep::hv::selftest {

inline bool on_amd = false;  // which of VMCALL and VMMCALL there is

inline i64 hypercall(u64 number, u64 a = 0, u64 b = 0, u64 c = 0, u64 d = 0, u64 e = 0, u64 f = 0) {
    register u64 r10 asm("r10") = d;
    register u64 r8 asm("r8") = e;
    register u64 r9 asm("r9") = f;
    i64 result;
    if (on_amd)
        asm volatile("vmmcall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "memory");
    else
        asm volatile("vmcall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "memory");
    return result;
}

inline i64 call(abi::Hypercall number, u64 a = 0, u64 b = 0, u64 c = 0, u64 d = 0, u64 e = 0,
                u64 f = 0) {
    return hypercall(static_cast<u64>(number), a, b, c, d, e, f);
}

constexpr i64 error(abi::Error value) {
    return -static_cast<i64>(value);
}

// The payload runs 1:1.
inline u64 address_of(const volatile void* object) {
    return reinterpret_cast<u64>(object);
}

abi::HostStats host_stats();
const abi::HostInfo& host_info();

}  // namespace skep::hv::selftest
