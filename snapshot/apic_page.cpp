#include <snapshot/apic_page.hpp>

#include <google/protobuf/descriptor.h>

#include <cstring>
#include <string>

namespace skep::snapshot {
namespace {

// Where each register is in the page, by the name of its field. Arrays have one word every 16
// bytes.
struct Register {
    const char* field;
    std::size_t offset;
    int words;
};
constexpr Register kRegisters[] = {
    {"id", 0x020, 1},
    {"version", 0x030, 1},
    {"tpr", 0x080, 1},
    {"apr", 0x090, 1},
    {"ppr", 0x0a0, 1},
    {"rrd", 0x0c0, 1},
    {"ldr", 0x0d0, 1},
    {"dfr", 0x0e0, 1},
    {"svr", 0x0f0, 1},
    {"isr", 0x100, 8},
    {"tmr", 0x180, 8},
    {"irr", 0x200, 8},
    {"esr", 0x280, 1},
    {"lvt_cmci", 0x2f0, 1},
    {"icr_low", 0x300, 1},
    {"icr_high", 0x310, 1},
    {"lvt_timer", 0x320, 1},
    {"lvt_thermal", 0x330, 1},
    {"lvt_performance", 0x340, 1},
    {"lvt_lint0", 0x350, 1},
    {"lvt_lint1", 0x360, 1},
    {"lvt_error", 0x370, 1},
    {"initial_count", 0x380, 1},
    {"current_count", 0x390, 1},
    {"divide_configuration", 0x3e0, 1},
};
constexpr std::size_t kWordStride = 16;

const google::protobuf::FieldDescriptor* field_of(const Register& reg) {
    return v1::LocalApic::descriptor()->FindFieldByName(reg.field);
}

}  // namespace

void apic_from_page(std::span<const std::byte, kApicPageSize> page, v1::LocalApic& apic) {
    const auto* reflection = apic.GetReflection();
    for (const Register& reg : kRegisters) {
        const auto* field = field_of(reg);
        reflection->ClearField(&apic, field);
        for (int word = 0; word < reg.words; ++word) {
            std::uint32_t value;
            std::memcpy(&value, page.data() + reg.offset + word * kWordStride, sizeof(value));
            if (field->is_repeated())
                reflection->AddUInt32(&apic, field, value);
            else
                reflection->SetUInt32(&apic, field, value);
        }
    }
}

Status apic_to_page(const v1::LocalApic& apic, std::span<std::byte, kApicPageSize> page) {
    std::memset(page.data(), 0, page.size());
    const auto* reflection = apic.GetReflection();
    for (const Register& reg : kRegisters) {
        const auto* field = field_of(reg);
        const bool complete = field->is_repeated() ? reflection->FieldSize(apic, field) == reg.words
                                                   : reflection->HasField(apic, field);
        if (!complete)
            return fail(ErrorCode::Missing, "local APIC register " + std::string(reg.field));
        for (int word = 0; word < reg.words; ++word) {
            const std::uint32_t value = field->is_repeated()
                                            ? reflection->GetRepeatedUInt32(apic, field, word)
                                            : reflection->GetUInt32(apic, field);
            std::memcpy(page.data() + reg.offset + word * kWordStride, &value, sizeof(value));
        }
    }
    return {};
}

}  // namespace skep::snapshot
