#include "hv/selftest/move.hpp"

#include "hv/selftest/check.hpp"

#include <cstring>

namespace skep::hv::selftest {

using abi::Field;
using abi::Hypercall;

namespace {

alignas(4096) u8 fields[4096], xsave[4096], apic[4096];

// Every field that there is.
u64 list_fields(abi::FieldValue* out) {
    constexpr struct {
        u32 first, last;
    } kRanges[] = {{0, 17},    {32, 37},   {48, 53},   {64, 99},   {128, 140},
                   {144, 154}, {160, 175}, {192, 193}, {208, 210}, {224, 228}};
    u64 count = 0;
    for (const auto& range : kRanges) {
        for (u32 id = range.first; id <= range.last; ++id)
            out[count++] = {static_cast<Field>(id), 0, 0};
    }
    return count;
}

}  // namespace

void move(Guest& from, Guest& to) {
    std::memcpy(to.ram(), from.ram(), Guest::kRam);
    const u64 count = list_fields(reinterpret_cast<abi::FieldValue*>(fields));
    CHECK_EQ(call(Hypercall::VcpuGetFields, from.id(), 0, address_of(fields), count), 0);
    const i64 size = call(Hypercall::VcpuGetXsave, from.id(), 0, address_of(xsave), 4096);
    CHECK(size >= 576);
    CHECK_EQ(call(Hypercall::VcpuGetApic, from.id(), 0, address_of(apic)), 0);
    CHECK_EQ(call(Hypercall::VcpuSetApic, to.id(), 0, address_of(apic)), 0);
    CHECK_EQ(call(Hypercall::VcpuSetXsave, to.id(), 0, address_of(xsave), static_cast<u64>(size)),
             size);
    CHECK_EQ(call(Hypercall::VcpuSetFields, to.id(), 0, address_of(fields), count), 0);
}

}  // namespace skep::hv::selftest
