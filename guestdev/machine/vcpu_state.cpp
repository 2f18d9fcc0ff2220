#include <guestdev/machine/vcpu_state.hpp>

#include <snapshot/apic_page.hpp>

#include <algorithm>
#include <string>
#include <string_view>

namespace skep::guestdev {
namespace {

using abi::Field;
using snapshot::v1::VcpuState;

constexpr unsigned kVariableRanges = 8;

// One field of a record: how to look at it. Absent parts of the message read as not set.
struct Binding {
    Field field;
    std::string_view name;
    bool (*has)(const VcpuState&);
    std::uint64_t (*get)(const VcpuState&);
    void (*set)(VcpuState&, std::uint64_t);
};

// NOLINTBEGIN(cppcoreguidelines-macro-usage): the generated accessors have no common type.
#define BIND(field, part, member)                                                          \
    Binding {                                                                              \
        Field::field, #part "." #member,                                                   \
            [](const VcpuState& state) { return state.part().has_##member(); },            \
            [](const VcpuState& state) -> std::uint64_t { return state.part().member(); }, \
            [](VcpuState& state, std::uint64_t value) {                                    \
                using Value = decltype(state.part().member());                             \
                state.mutable_##part()->set_##member(static_cast<Value>(value));           \
            }                                                                              \
    }
#define BIND_SEGMENT_PART(field, segment, member)                                             \
    Binding {                                                                                 \
        Field::field, "segments." #segment "." #member,                                       \
            [](const VcpuState& state) { return state.segments().segment().has_##member(); }, \
            [](const VcpuState& state) -> std::uint64_t {                                     \
                return state.segments().segment().member();                                   \
            },                                                                                \
            [](VcpuState& state, std::uint64_t value) {                                       \
                using Value = decltype(state.segments().segment().member());                  \
                state.mutable_segments()->mutable_##segment()->set_##member(                  \
                    static_cast<Value>(value));                                               \
            }                                                                                 \
    }
#define BIND_SEGMENT(prefix, segment)                       \
    BIND_SEGMENT_PART(prefix##Selector, segment, selector), \
        BIND_SEGMENT_PART(prefix##Base, segment, base),     \
        BIND_SEGMENT_PART(prefix##Limit, segment, limit),   \
        BIND_SEGMENT_PART(prefix##Access, segment, access_rights)
#define BIND_TABLE(prefix, table) \
    BIND_SEGMENT_PART(prefix##Base, table, base), BIND_SEGMENT_PART(prefix##Limit, table, limit)

constexpr Binding kBindings[] = {
    BIND(Rax, general, rax),
    BIND(Rcx, general, rcx),
    BIND(Rdx, general, rdx),
    BIND(Rbx, general, rbx),
    BIND(Rsp, general, rsp),
    BIND(Rbp, general, rbp),
    BIND(Rsi, general, rsi),
    BIND(Rdi, general, rdi),
    BIND(R8, general, r8),
    BIND(R9, general, r9),
    BIND(R10, general, r10),
    BIND(R11, general, r11),
    BIND(R12, general, r12),
    BIND(R13, general, r13),
    BIND(R14, general, r14),
    BIND(R15, general, r15),
    BIND(Rip, general, rip),
    BIND(Rflags, general, rflags),
    BIND(Cr0, control, cr0),
    BIND(Cr2, control, cr2),
    BIND(Cr3, control, cr3),
    BIND(Cr4, control, cr4),
    BIND(Xcr0, control, xcr0),
    BIND(Efer, control, efer),
    BIND(Dr0, debug, dr0),
    BIND(Dr1, debug, dr1),
    BIND(Dr2, debug, dr2),
    BIND(Dr3, debug, dr3),
    BIND(Dr6, debug, dr6),
    BIND(Dr7, debug, dr7),
    BIND_SEGMENT(Es, es),
    BIND_SEGMENT(Cs, cs),
    BIND_SEGMENT(Ss, ss),
    BIND_SEGMENT(Ds, ds),
    BIND_SEGMENT(Fs, fs),
    BIND_SEGMENT(Gs, gs),
    BIND_SEGMENT(Ldtr, ldtr),
    BIND_SEGMENT(Tr, tr),
    BIND_TABLE(Gdtr, gdtr),
    BIND_TABLE(Idtr, idtr),
    BIND(Star, msrs, star),
    BIND(Lstar, msrs, lstar),
    BIND(Cstar, msrs, cstar),
    BIND(Fmask, msrs, fmask),
    BIND(KernelGsBase, msrs, kernel_gs_base),
    BIND(SysenterCs, msrs, sysenter_cs),
    BIND(SysenterEsp, msrs, sysenter_esp),
    BIND(SysenterEip, msrs, sysenter_eip),
    BIND(Pat, msrs, pat),
    BIND(TscAux, msrs, tsc_aux),
    BIND(MiscEnable, msrs, misc_enable),
    BIND(SpecCtrl, msrs, spec_ctrl),
    BIND(MtrrDefType, mtrrs, def_type),
    BIND(TscAdjust, time, tsc_adjust),
    BIND(ActivityState, events, activity_state),
    BIND(Interruptibility, events, interruptibility),
    BIND(PendingEvent, events, pending_event),
    BIND(PendingErrorCode, events, pending_error_code),
    BIND(NmiPending, events, nmi_pending),
    BIND(ApicBase, apic, apic_base),
};

// MtrrFixed0 and what follows it, in this order.
constexpr Binding kFixedRanges[] = {
    BIND(MtrrFixed0, mtrrs, fix64k_00000), BIND(MtrrFixed0, mtrrs, fix16k_80000),
    BIND(MtrrFixed0, mtrrs, fix16k_a0000), BIND(MtrrFixed0, mtrrs, fix4k_c0000),
    BIND(MtrrFixed0, mtrrs, fix4k_c8000),  BIND(MtrrFixed0, mtrrs, fix4k_d0000),
    BIND(MtrrFixed0, mtrrs, fix4k_d8000),  BIND(MtrrFixed0, mtrrs, fix4k_e0000),
    BIND(MtrrFixed0, mtrrs, fix4k_e8000),  BIND(MtrrFixed0, mtrrs, fix4k_f0000),
    BIND(MtrrFixed0, mtrrs, fix4k_f8000),
};

// The clock's fields, which VcpuClock carries.
constexpr Binding kClock[] = {
    BIND(Tsc, time, tsc),
    BIND(ApicTscDeadline, apic, tsc_deadline),
    BIND(ApicTimerRemaining, apic, timer_remaining),
};

#undef BIND
#undef BIND_SEGMENT_PART
#undef BIND_SEGMENT
#undef BIND_TABLE
// NOLINTEND(cppcoreguidelines-macro-usage)

Field offset_field(Field first, unsigned index) {
    return static_cast<Field>(static_cast<std::uint32_t>(first) + index);
}

std::vector<abi::FieldValue> wanted_fields() {
    std::vector<abi::FieldValue> fields;
    auto want = [&](Field field) { fields.push_back({field, 0, 0}); };
    for (const Binding& binding : kBindings)
        want(binding.field);
    for (unsigned i = 0; i < std::size(kFixedRanges); i++)
        want(offset_field(Field::MtrrFixed0, i));
    for (unsigned i = 0; i < 2 * kVariableRanges; i++)
        want(offset_field(Field::MtrrPhysBase0, i));
    return fields;
}

// Registers that the exit's completion changed and hv does not have yet.
void overlay(const abi::VcpuPage& page, VcpuState& state) {
    auto* general = state.mutable_general();
    if (page.write_back & abi::kWriteBackGeneral) {
        const std::uint64_t* values = &page.general.rax;
        for (unsigned i = 0; i < 16; i++)
            kBindings[i].set(state, values[i]);
    }
    if (page.write_back & abi::kWriteBackRip) {
        general->set_rip(page.rip);
        // A completed instruction ends the shadow of STI and MOV SS.
        constexpr std::uint32_t kShadows = 3;
        auto* events = state.mutable_events();
        events->set_interruptibility(events->interruptibility() & ~kShadows);
    }
    if (page.write_back & abi::kWriteBackRflags)
        general->set_rflags(page.rflags);
}

}  // namespace

Result<VcpuState> read_vcpu(Vmm& vmm, unsigned index, const abi::VcpuPage& page) {
    std::vector<abi::FieldValue> fields = wanted_fields();
    SKEP_TRY(vmm.get_fields(index, fields));
    VcpuState state;
    state.set_index(index);
    auto next = fields.begin();
    for (const Binding& binding : kBindings)
        binding.set(state, (next++)->value);
    for (const Binding& binding : kFixedRanges)
        binding.set(state, (next++)->value);
    for (unsigned i = 0; i < kVariableRanges; i++) {
        auto* range = state.mutable_mtrrs()->add_variable();
        range->set_base((next++)->value);
        range->set_mask((next++)->value);
    }
    overlay(page, state);
    auto xsave = SKEP_TRY(vmm.get_xsave(index));
    state.set_xsave(xsave.data(), xsave.size());
    std::array<std::byte, snapshot::kApicPageSize> apic{};
    SKEP_TRY(vmm.get_apic(index, apic));
    snapshot::apic_from_page(apic, *state.mutable_apic());
    return state;
}

Result<VcpuFields> to_fields(const VcpuState& state) {
    std::string vcpu = "vCPU " + std::to_string(state.index()) + ": ";
    auto missing = [&](std::string_view name) {
        return fail(Code::DataLoss, vcpu + "state " + std::string(name) + " is missing");
    };
    VcpuFields result;
    auto add = [&](Field field, std::uint64_t value) {
        result.fields.push_back({field, 0, value});
    };
    for (const Binding& binding : kBindings) {
        if (!binding.has(state))
            return missing(binding.name);
        add(binding.field, binding.get(state));
    }
    unsigned index = 0;
    for (const Binding& binding : kFixedRanges) {
        if (!binding.has(state))
            return missing(binding.name);
        add(offset_field(Field::MtrrFixed0, index++), binding.get(state));
    }
    for (const Binding& binding : kClock) {
        if (!binding.has(state))
            return missing(binding.name);
    }
    if (state.mtrrs().variable_size() != kVariableRanges)
        return fail(Code::DataLoss, vcpu + "not eight variable MTRR ranges");
    index = 0;
    for (const auto& range : state.mtrrs().variable()) {
        add(offset_field(Field::MtrrPhysBase0, index++), range.base());
        add(offset_field(Field::MtrrPhysBase0, index++), range.mask());
    }
    if (!state.has_xsave())
        return missing("xsave");
    auto xsave = std::as_bytes(std::span(state.xsave()));
    result.xsave.assign(xsave.begin(), xsave.end());
    std::array<std::byte, snapshot::kApicPageSize> apic{};
    if (auto status = snapshot::apic_to_page(state.apic(), apic); !status)
        return fail(Code::DataLoss, vcpu + status.error().message);
    result.apic.assign(apic.begin(), apic.end());
    return result;
}

Status write_vcpu(Vmm& vmm, unsigned index, const VcpuFields& fields) {
    SKEP_TRY(vmm.set_fields(index, fields.fields));
    SKEP_TRY(vmm.set_xsave(index, fields.xsave));
    return vmm.set_apic(index, std::span(fields.apic).first<snapshot::kApicPageSize>());
}

Result<VcpuClock> read_clock(Vmm& vmm, unsigned index) {
    std::array<abi::FieldValue, 3> fields = {
        {{Field::Tsc, 0, 0}, {Field::ApicTscDeadline, 0, 0}, {Field::ApicTimerRemaining, 0, 0}}};
    SKEP_TRY(vmm.get_fields(index, fields));
    return VcpuClock{fields[0].value, fields[1].value, fields[2].value};
}

VcpuClock clock_of(const VcpuState& state) {
    return {kClock[0].get(state), kClock[1].get(state), kClock[2].get(state)};
}

void set_clock(VcpuState& state, const VcpuClock& clock) {
    kClock[0].set(state, clock.tsc);
    kClock[1].set(state, clock.deadline);
    kClock[2].set(state, clock.remaining);
}

Status write_clock(Vmm& vmm, unsigned index, const VcpuClock& clock, std::uint64_t passed) {
    std::vector<abi::FieldValue> fields = {{Field::Tsc, 0, clock.tsc + passed}};
    // Arming the one disarms the other: only what was armed is set.
    if (clock.deadline)
        fields.push_back({Field::ApicTscDeadline, 0, clock.deadline});
    if (clock.remaining)
        fields.push_back({Field::ApicTimerRemaining, 0,
                          clock.remaining > passed ? clock.remaining - passed : 1});
    return vmm.set_fields(index, fields);
}

}  // namespace skep::guestdev
