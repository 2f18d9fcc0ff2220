#include <guestdev/machine/exits.hpp>

#include <guestdev/emulate/executor.hpp>
#include <guestdev/machine/guest_access.hpp>

#include <algorithm>
#include <cstdio>

namespace skep::guestdev {
namespace {

constexpr std::uint8_t kGeneralProtection = 13, kPageFault = 14;

// MSRs that operating systems touch without asking CPUID, and that mean nothing here: they read as
// zero and forget what is written. Others raise #GP, as on a CPU that lacks them.
constexpr std::uint32_t kIgnoredMsrs[] = {
    0x017,        // IA32_PLATFORM_ID
    0x079,        // IA32_BIOS_UPDT_TRIG
    0x08b,        // IA32_BIOS_SIGN_ID
    0x0ce,        // MSR_PLATFORM_INFO
    0x140,        // MISC_FEATURES_ENABLES
    0x1d9,        // IA32_DEBUGCTL
    0xc001'0010,  // AMD: SYSCFG
    0xc001'0015,  // AMD: HWCR
    0xc001'001f,  // AMD: NB_CFG1
    0xc001'0055,  // AMD: interrupt pending
    0xc001'0140,  // AMD: OSVW length
    0xc001'0141,  // AMD: OSVW status
    0xc001'1029,  // AMD: DE_CFG
};

std::string hex(std::uint64_t value) {
    char text[24];
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
    return text;
}

std::string hex_bytes(std::span<const std::uint8_t> bytes) {
    std::string text;
    for (std::uint8_t byte : bytes) {
        char two[4];
        std::snprintf(two, sizeof two, "%02x", byte);
        text += (text.empty() ? "" : " ") + std::string(two);
    }
    return text;
}

void complete(abi::VcpuPage& page, std::uint32_t extra = 0) {
    page.rip += page.instruction_length;
    page.write_back |= abi::kWriteBackRip | extra;
}

}  // namespace

std::expected<void, std::string> ExitHandler::raise(unsigned vcpu, const GuestFault& fault) {
    if (fault.vector == kPageFault) {
        abi::FieldValue cr2 = {abi::Field::Cr2, 0, fault.address};
        if (auto status = vmm_.set_fields(vcpu, {&cr2, 1}); !status)
            return std::unexpected(status.error().message);
    }
    auto kind = fault.has_code ? abi::InjectKind::ExceptionWithCode : abi::InjectKind::Exception;
    if (auto status = vmm_.inject(vcpu, kind, fault.vector, fault.code); !status)
        return std::unexpected(status.error().message);
    return {};
}

std::expected<void, std::string> ExitHandler::handle_io(unsigned vcpu, abi::VcpuPage& page) {
    const abi::IoExit io = page.io;
    if (io.is_string || page.instruction_length == 0)
        return emulate(vcpu, page, false);
    if (io.size != 1 && io.size != 2 && io.size != 4)
        return std::unexpected("hv reports a port access of " + std::to_string(io.size) + " bytes");
    std::lock_guard lock(board_.mutex());
    std::uint64_t mask = all_ones(io.size);
    if (io.is_in) {
        std::uint64_t value = board_.ports().read(io.port, io.size);
        page.general.rax = io.size == 4 ? value : (page.general.rax & ~mask) | value;
        complete(page, abi::kWriteBackGeneral);
    } else {
        board_.ports().write(io.port, io.size, page.general.rax & mask);
        complete(page);
    }
    if (Board::is_timer_port(io.port))
        timers_moved_();
    return {};
}

std::expected<void, std::string> ExitHandler::handle_msr(unsigned vcpu, abi::VcpuPage& page,
                                                         bool write) {
    std::uint32_t index = page.msr.index;
    std::uint64_t value = 0;
    bool known = true;
    if (PvClock::handles(index)) {
        std::lock_guard lock(board_.mutex());
        PvClock& clock = board_.pvclock();
        if (write) {
            // The TSC went on since the exit, and guest time with it, by a few microseconds.
            known = clock.write(vcpu, index, page.msr.value, time_.now(), page.guest_tsc, memory_);
        } else {
            value = clock.read(vcpu, index);
        }
    } else {
        known = std::ranges::find(kIgnoredMsrs, index) != std::end(kIgnoredMsrs);
    }
    if (!known)
        return raise(vcpu, {kGeneralProtection, true, 0, 0});
    if (!write) {
        page.general.rax = value & 0xffff'ffff;
        page.general.rdx = value >> 32;
    }
    complete(page, write ? 0u : std::uint32_t{abi::kWriteBackGeneral});
    return {};
}

std::expected<void, std::string> ExitHandler::emulate(unsigned vcpu, abi::VcpuPage& page,
                                                      bool mmio) {
    std::lock_guard lock(board_.mutex());
    GuestAccess access(page, memory_, board_.memory_bus(), board_.ports());
    auto given = std::min<std::uint32_t>(page.instruction_bytes, sizeof page.instruction);
    std::vector<std::uint8_t> code(page.instruction, page.instruction + given);
    constexpr std::uint8_t kCs = 1;
    if (code.empty())
        code = access.fetch(linear_address(page, kCs, page.rip));
    auto instruction = decode(code, code_size(page));
    if (!instruction)
        return std::unexpected("cannot complete the instruction " + hex_bytes(code) + " at " +
                               hex(page.rip) +
                               (mmio ? ", which accesses address " + hex(page.mmio.gpa)
                                     : ", which accesses port " + hex(page.io.port)));
    bool one_operand = instruction->operation < Operation::Movs;
    if (mmio && one_operand)
        access.assume_translated(page.mmio.gpa);
    auto done = execute(*instruction, page, access);
    if (!done)
        return raise(vcpu, done.error());
    if (!mmio && Board::is_timer_port(page.io.port))
        timers_moved_();
    return {};
}

std::expected<void, std::string> ExitHandler::handle(unsigned vcpu, abi::VcpuPage& page) {
    switch (page.reason) {
        case abi::ExitReason::Io:
            return handle_io(vcpu, page);
        case abi::ExitReason::Mmio:
            return emulate(vcpu, page, true);
        case abi::ExitReason::MsrRead:
            return handle_msr(vcpu, page, false);
        case abi::ExitReason::MsrWrite:
            return handle_msr(vcpu, page, true);
        case abi::ExitReason::ApicEoi: {
            std::lock_guard lock(board_.mutex());
            board_.ioapic().end_of_interrupt(static_cast<std::uint8_t>(page.eoi_vector));
            return {};
        }
        case abi::ExitReason::None:
        case abi::ExitReason::Interrupted:
        case abi::ExitReason::Hlt:
        case abi::ExitReason::InterruptWindow:
        case abi::ExitReason::TimerArmed:
        case abi::ExitReason::WakeVcpus:
        case abi::ExitReason::Reset:
        case abi::ExitReason::Pause:
            // Nothing to complete: the vCPU is run again.
            return {};
        case abi::ExitReason::Shutdown:
            return std::unexpected("triple fault at " + hex(page.rip));
        case abi::ExitReason::PageAbsent:
            return std::unexpected("access to withheld memory at " + hex(page.mmio.gpa));
        case abi::ExitReason::EntryFailed:
            return std::unexpected("the CPU refused the guest's state (" + hex(page.entry_failure) +
                                   ") at " + hex(page.rip));
    }
    return std::unexpected("hv gave an unknown reason, " +
                           std::to_string(static_cast<std::uint32_t>(page.reason)));
}

}  // namespace skep::guestdev
