// From the VMCB's exit code and information to hv's Exit.
#include "hv/svm/vcpu.hpp"

namespace skep::hv::svm {

u8 SvmVcpu::length_by_next_rip() const {
    return capabilities().next_rip ? static_cast<u8>(vmcb_->next_rip - vmcb_->rip) : 0;
}

// APM vol. 2, 15.10.2.
Exit SvmVcpu::decode_io() const {
    constexpr u64 kIn = 1, kString = 4, kRep = 8;
    const u64 info = vmcb_->exit_info1;
    const u64 size = info >> 4 & 7;
    return {.kind = ExitKind::Io,
            .instruction_length = static_cast<u8>(vmcb_->exit_info2 - vmcb_->rip),
            .io = {static_cast<u16>(info >> 16),
                   static_cast<u8>(size),
                   (info & kIn) != 0,
                   (info & kString) != 0,
                   (info & kRep) != 0,
                   {}}};
}

Exit SvmVcpu::decode() const {
    const auto instruction = [this](ExitKind kind, u64 raw = 0) {
        return Exit::of(kind, length_by_next_rip(), raw);
    };
    switch (vmcb_->exit_code) {
        case ExitCode::Cpuid:
            return instruction(ExitKind::Cpuid);
        case ExitCode::Vmmcall:
            return instruction(ExitKind::Hypercall);
        case ExitCode::Ioio:
            return decode_io();
        case ExitCode::NestedPageFault: {
            // APM vol. 2, 15.25.6.
            constexpr u64 kWrite = 2, kFetch = 16;
            const u64 error = vmcb_->exit_info1;
            return {.kind = ExitKind::SecondLevelFault,
                    .fault = {{vmcb_->exit_info2},
                              (error & kFetch) != 0   ? abi::AccessKind::Execute
                              : (error & kWrite) != 0 ? abi::AccessKind::Write
                                                      : abi::AccessKind::Read}};
        }
        case ExitCode::Msr: {
            Exit exit{.kind = vmcb_->exit_info1 == 0 ? ExitKind::MsrRead : ExitKind::MsrWrite,
                      .instruction_length = length_by_next_rip(),
                      .msr = static_cast<u32>(general.rcx)};
            return exit;
        }
        case ExitCode::Intr:
            return Exit::of(ExitKind::Interrupt);
        case ExitCode::Nmi:
            return Exit::of(ExitKind::Nmi);
        case ExitCode::Init:
            return Exit::of(ExitKind::Interrupt);
        case ExitCode::Vintr:
            return Exit::of(ExitKind::InterruptWindow);
        case ExitCode::WriteCr8:
            return instruction(ExitKind::TaskPriorityWrite);
        case ExitCode::Hlt:
            return instruction(ExitKind::Hlt);
        case ExitCode::Xsetbv:
            return instruction(ExitKind::Xsetbv);
        case ExitCode::Invd:
            return instruction(ExitKind::CacheFlush, 0);
        case ExitCode::Wbinvd:
            return instruction(ExitKind::CacheFlush, 1);
        case ExitCode::Rdpmc:
            return Exit::of(ExitKind::PrivilegedRead);
        case ExitCode::Shutdown:
            return Exit::of(ExitKind::Shutdown);
        case ExitCode::Invlpga:
        case ExitCode::Vmrun:
        case ExitCode::Vmload:
        case ExitCode::Vmsave:
        case ExitCode::Stgi:
        case ExitCode::Clgi:
        case ExitCode::Skinit:
        case ExitCode::Monitor:
        case ExitCode::Mwait:
        case ExitCode::MwaitConditional:
            return Exit::of(ExitKind::Forbidden);
        case ExitCode::Invalid:
            return Exit::of(ExitKind::EntryFailed, 0, ~u64{0});
        default:
            if (vmcb_->exit_code >= ExitCode::ReadDr0 && vmcb_->exit_code <= ExitCode::WriteDr15)
                return Exit::of(ExitKind::DebugRegister);
            return Exit::of(ExitKind::Unexpected, 0, static_cast<u64>(vmcb_->exit_code));
    }
}

}  // namespace skep::hv::svm
