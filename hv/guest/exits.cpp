// What hv does about each kind of exit of a guest.
#include "hv/guest/vcpu.hpp"

#include "hv/arch/instructions.hpp"
#include "hv/arch/registers.hpp"

#include <array>

namespace skep::hv {

using abi::ExitReason;
using abi::Field;

namespace {

constexpr std::array<u8, 2> kCpuidOpcode = {0x0f, 0xa2}, kRdmsrOpcode = {0x0f, 0x32},
                            kWrmsrOpcode = {0x0f, 0x30}, kInvdOpcode = {0x0f, 0x08},
                            kWbinvdOpcode = {0x0f, 0x09};
constexpr std::array<u8, 3> kXsetbvOpcode = {0x0f, 0x01, 0xd1};
constexpr std::array<u8, 1> kHltOpcode = {0xf4}, kNopOpcode = {0x90};

constexpr u64 kLongCode = 1 << 13, kDefault32 = 1 << 14;  // access rights, L and D/B

u64 low32(u64 value) {
    return value & 0xffff'ffff;
}

}  // namespace

CodeSize Vcpu::code_size() const {
    const u64 access = hardware_->read(Field::CsAccess);
    if ((hardware_->read(Field::Efer) & efer::kLma) != 0 && (access & kLongCode) != 0)
        return CodeSize::Bits64;
    return (access & kDefault32) != 0 ? CodeSize::Bits32 : CodeSize::Bits16;
}

std::size_t Vcpu::fetch(std::span<u8> code) const {
    const HardwareVcpu& hw = *hardware_;
    const PagingMode mode{hw.read(Field::Cr0), hw.read(Field::Cr3), hw.read(Field::Cr4),
                          hw.read(Field::Efer)};
    const bool long_mode = code_size() == CodeSize::Bits64;
    const u64 linear = long_mode ? hw.rip() : low32(hw.read(Field::CsBase) + hw.rip());
    return read_linear(mode, linear, code, [this](Gpa gpa) { return vm_.memory(gpa); });
}

u64 Vcpu::length_of(const Exit& exit, std::span<const u8> opcode) const {
    if (exit.instruction_length != 0)
        return exit.instruction_length;
    // Prefixes are allowed and rare. If the bytes are not what was executed, the guest is rewriting
    // its own code as it runs: then any length is as good.
    std::array<u8, 15> code;
    const std::size_t count = fetch(code);
    return instruction_length({code.data(), count}, code_size(), opcode)
        .value_or(static_cast<u8>(opcode.size()));
}

// In place of the instruction that caused the exit.
Vcpu::Leave Vcpu::raise(Event event) {
    pending_event_ = event;
    check_events_ = true;
    return {};
}

[[gnu::noinline]] Vcpu::Leave Vcpu::handle_cpuid(const Exit& exit) {
    abi::GeneralRegisters& r = hardware_->general;
    const u32 leaf = static_cast<u32>(r.rax);
    CpuidState state{index_, 0, xcr0_};
    if (cpuid_depends_on_state(leaf)) {
        state.cr4 = hardware_->read(Field::Cr4);
        // As it is loaded: QEMU's SVM lets XSETBV through although it is intercepted.
        state.xcr0 = read_xcr0();
    }
    const CpuidResult result = vm_.cpuid.get(leaf, static_cast<u32>(r.rcx), state);
    r.rax = result.eax;
    r.rbx = result.ebx;
    r.rcx = result.ecx;
    r.rdx = result.edx;
    hardware_->advance(length_of(exit, kCpuidOpcode));
    return {};
}

bool Vcpu::finish_cpuid(abi::GeneralRegisters& r) {
    const u32 leaf = static_cast<u32>(r.rax);
    if (cpuid_depends_on_state(leaf) || requests_.load(std::memory_order_relaxed) != 0 ||
        nmi_pending_)
        return false;
    static constexpr abi::CpuidEntry kAbsent{};
    const abi::CpuidEntry* entry = vm_.cpuid.find(leaf, static_cast<u32>(r.rcx));
    if (entry == nullptr)
        entry = &kAbsent;
    r.rax = entry->eax;
    r.rbx = entry->ebx;
    r.rcx = entry->ecx;
    r.rdx = entry->edx;
    ++Cpu::current().counters.guest_exits_handled;
    return true;
}

[[gnu::noinline]] Vcpu::Leave Vcpu::handle_rdmsr(const Exit& exit) {
    const u32 index = static_cast<u32>(hardware_->general.rcx);
    if (hardware_->cpl() != 0)
        return raise(Event::general_protection());
    const MsrRead result = read_msr(index);
    if (result.outcome == MsrOutcome::Done) {
        hardware_->general.rax = low32(result.value);
        hardware_->general.rdx = result.value >> 32;
        hardware_->advance(length_of(exit, kRdmsrOpcode));
        return {};
    }
    if (result.outcome == MsrOutcome::Fault)
        return raise(Event::general_protection());
    page_->msr = {index, 0, 0};
    page_->instruction_length = static_cast<u32>(length_of(exit, kRdmsrOpcode));
    return ExitReason::MsrRead;
}

[[gnu::noinline]] Vcpu::Leave Vcpu::handle_wrmsr(const Exit& exit) {
    const u32 index = static_cast<u32>(hardware_->general.rcx);
    const u64 value = low32(hardware_->general.rax) | hardware_->general.rdx << 32;
    if (hardware_->cpl() != 0)
        return raise(Event::general_protection());
    const u64 length = length_of(exit, kWrmsrOpcode);
    const MsrWrite result = write_msr(index, value);
    if (result.outcome == MsrOutcome::Done) {
        hardware_->advance(length);
        return result.leave;
    }
    if (result.outcome == MsrOutcome::Fault)
        return raise(Event::general_protection());
    page_->msr = {index, 0, value};
    page_->instruction_length = static_cast<u32>(length);
    return ExitReason::MsrWrite;
}

[[gnu::noinline]] Vcpu::Leave Vcpu::handle_xsetbv(const Exit& exit) {
    const abi::GeneralRegisters& r = hardware_->general;
    const u64 value = low32(r.rax) | r.rdx << 32;
    if ((hardware_->read(Field::Cr4) & cr4::kOsxsave) == 0)
        return raise(Event::undefined_opcode());
    if (hardware_->cpl() != 0 || static_cast<u32>(r.rcx) != 0 || !valid_xcr0(value))
        return raise(Event::general_protection());
    xcr0_ = value;
    write_xcr0(value);
    hardware_->advance(length_of(exit, kXsetbvOpcode));
    return {};
}

// The guest's are loaded from its first access on until it has no breakpoint left.
void Vcpu::use_debug_registers() {
    debug_in_use_ = true;
    hardware_->intercept_debug_registers(false);
    load_debug_registers();
}

[[gnu::noinline]] Vcpu::Leave Vcpu::handle_task_priority(const Exit& exit) {
    std::array<u8, 15> code;
    const std::size_t count = fetch(code);
    const auto source = decode_cr8_write({code.data(), count}, code_size());
    if (!source)
        return raise(Event::undefined_opcode());
    const u64 value = general(source->reg);
    if (value > 15)
        return raise(Event::general_protection());
    hardware_->set_task_priority(static_cast<u8>(value));
    hardware_->advance(exit.instruction_length != 0 ? exit.instruction_length : source->length);
    check_events_ = true;
    return {};
}

[[gnu::noinline]] Vcpu::Leave Vcpu::handle_fault(const SecondLevelFault& fault) {
    const Gpa gpa = fault.address;
    if (apic_.xapic() && (apic_.base() & apic::kBaseAddress) == gpa.frame().value) {
        if (hardware_->delivers_interrupts() && apic_access() == ApicAccess::Page)
            vm_.show_apic_page();
        return access_apic(static_cast<u32>(gpa.offset()));
    }

    page_->mmio = {gpa.value, fault.access, 0};
    page_->instruction_length = 0;
    // A page that is only absent will be there when the instruction runs again.
    if (vm_.tables.is_absent(gpa.value))
        return ExitReason::PageAbsent;
    const auto mapping = vm_.tables.lookup(gpa.value);
    wants_code_ = true;
    if (!mapping)
        return ExitReason::Mmio;
    const u32 needed = fault.access == abi::AccessKind::Write     ? abi::kWrite
                       : fault.access == abi::AccessKind::Execute ? abi::kExecute
                                                                  : abi::kRead;
    if ((mapping->protection & needed) == 0)
        return ExitReason::Mmio;
    wants_code_ = false;
    if (mapping->write_blocked) {
        auto guard = vm_.tables_lock.lock();
        vm_.tables.dirty_note_write(gpa.value);
    }
    return {};
}

Vcpu::Leave Vcpu::handle(const Exit& exit) {
    switch (exit.kind) {
        case ExitKind::Cpuid:
            return handle_cpuid(exit);
        case ExitKind::SecondLevelFault:
            return handle_fault(exit.fault);
        case ExitKind::MsrRead:
            return handle_rdmsr(exit);
        case ExitKind::MsrWrite:
            return handle_wrmsr(exit);
        case ExitKind::Interrupt:
            return ExitReason::Interrupted;
        case ExitKind::EndOfInterrupt:
            return apply(apic_.ended(static_cast<u8>(exit.raw)));
        case ExitKind::ApicAccess:
            return handle_fault({Gpa{apic::kBaseDefault + exit.raw}, abi::AccessKind::Read});
        case ExitKind::ApicWrite:
            return finish_apic_write(static_cast<u32>(exit.raw));
        case ExitKind::Nmi:
            // For the root domain, or only to make this vCPU look at its requests.
            check_events_ = true;
            Cpu::current().take_requests();
            return Cpu::current().pending != 0 ? Leave(ExitReason::Interrupted) : Leave();
        case ExitKind::InterruptWindow:
        case ExitKind::NmiWindow:
        case ExitKind::TaskPriorityLowered:
        case ExitKind::PreemptionTimer:
            check_events_ = true;
            return {};
        case ExitKind::WriteLogFull: {
            auto guard = vm_.tables_lock.lock();
            mark_written();
            hardware_->restart_write_log();
            return {};
        }
        case ExitKind::TaskPriorityWrite:
            return handle_task_priority(exit);
        case ExitKind::Hlt:
            hardware_->advance(length_of(exit, kHltOpcode));
            activity_ = Activity::Hlt;
            check_events_ = true;
            return {};
        case ExitKind::Pause:
            hardware_->advance(length_of(exit, kNopOpcode));
            return ExitReason::Pause;
        case ExitKind::Xsetbv:
            return handle_xsetbv(exit);
        case ExitKind::TaskSwitch:
            return handle_task_switch(exit);
        case ExitKind::DebugRegister:
            use_debug_registers();
            return {};
        case ExitKind::CacheFlush:
            if (hardware_->cpl() != 0)
                return raise(Event::general_protection());
            hardware_->advance(
                length_of(exit, exit.raw == 0 ? std::span(kInvdOpcode) : std::span(kWbinvdOpcode)));
            return {};
        case ExitKind::Hypercall:
        case ExitKind::Forbidden:
            return raise(Event::undefined_opcode());
        case ExitKind::PrivilegedRead:
            return raise(Event::general_protection());
        case ExitKind::Shutdown:
            activity_ = Activity::Shutdown;
            return ExitReason::Shutdown;
        case ExitKind::Io:  // Vcpu::loop
        case ExitKind::EntryFailed:
        case ExitKind::Unexpected:
            page_->entry_failure = exit.raw;
            return ExitReason::EntryFailed;
    }
    return ExitReason::EntryFailed;
}

}  // namespace skep::hv
