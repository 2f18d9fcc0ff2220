#include <kernel/abi/freebsd/signal_frame.hpp>

#include <kernel/abi/freebsd/shared_page.hpp>
#include <kernel/arch/x86_64/cpu.hpp>
#include <kernel/arch/x86_64/fpu.hpp>
#include <kernel/mm/layout.hpp>
#include <kernel/proc/signal.hpp>

#include <algorithm>
#include <cstring>

namespace skep::kernel::freebsd_abi {

namespace {

constexpr std::uint64_t kRedZone = 128;
constexpr std::size_t kLegacySize = sizeof MachineContext::float_state;
constexpr std::uint64_t kCarry = 1;
constexpr std::uint64_t kUserRflags =
    0xcd5 | kRflagsTrap | 1 << 18 | 1 << 21;  // CF PF AF ZF SF TF DF OF, AC, ID

void put_registers(MachineContext& c, const TrapFrame& f) {
    c.rdi = f.rdi, c.rsi = f.rsi, c.rdx = f.rdx, c.rcx = f.rcx, c.r8 = f.r8, c.r9 = f.r9,
    c.rax = f.rax, c.rbx = f.rbx;
    c.rbp = f.rbp, c.r10 = f.r10, c.r11 = f.r11, c.r12 = f.r12, c.r13 = f.r13, c.r14 = f.r14,
    c.r15 = f.r15;
    c.rip = f.rip, c.cs = f.cs, c.rflags = f.rflags, c.rsp = f.rsp, c.ss = f.ss;
    c.size = sizeof c;
    Thread& me = current_thread();
    save_user_bases(me);
    c.fs_base = me.fs_base, c.gs_base = me.gs_base;
    c.flags = kContextHasBases;
}

void take_registers(TrapFrame& f, const MachineContext& c) {
    f.rdi = c.rdi, f.rsi = c.rsi, f.rdx = c.rdx, f.rcx = c.rcx, f.r8 = c.r8, f.r9 = c.r9,
    f.rax = c.rax, f.rbx = c.rbx;
    f.rbp = c.rbp, f.r10 = c.r10, f.r11 = c.r11, f.r12 = c.r12, f.r13 = c.r13, f.r14 = c.r14,
    f.r15 = c.r15;
    f.rip = c.rip, f.rsp = c.rsp;
    f.rflags = (c.rflags & kUserRflags) | kRflagsInterrupt | 2;
    f.cs = USER_CODE_SELECTOR;
    f.ss = USER_DATA_SELECTOR;
    f.use_iret();
}

// The registers' live values, into the thread's area.
std::span<const std::byte> current_fpu() {
    Thread& me = current_thread();
    const InterruptsOff off;
    save_fpu(*me.fpu);
    return fpu_bytes(*me.fpu);
}

void put_fpu(MachineContext& c) {
    c.float_format = kFloatXmm;
    c.float_owner = kFloatOwnedByPcb;
    std::memcpy(c.float_state, current_fpu().data(), kLegacySize);
}

Result<> take_fpu(const MachineContext& c) {
    if (c.float_format == kFloatNone || c.float_owner == kFloatUnowned)
        return {};
    if (c.float_format != kFloatXmm)
        return fail(Errno::Inval);
    // Into a copy: the thread may be switched away from while it is read.
    FpuState* state = allocate_fpu();
    if (!state)
        return fail(Errno::NoMem);
    const std::span<std::byte> bytes = fpu_bytes(*state);
    std::memcpy(bytes.data(), c.float_state, kLegacySize);
    Result<> result;
    if (c.flags & kContextHasExtended) {
        if (c.extended_size > bytes.size() - kLegacySize)
            result = fail(Errno::Inval);
        else
            result = copy_in(bytes.data() + kLegacySize, c.extended, c.extended_size);
    }
    if (result) {
        sanitize_fpu(*state);
        Thread& me = current_thread();
        const InterruptsOff off;
        copy_fpu(*me.fpu, *state);
        restore_fpu(*me.fpu);
    }
    free_fpu(state);
    return result;
}

// A handler starts with the initial state.
void start_fpu_afresh() {
    Thread& me = current_thread();
    const InterruptsOff off;
    reset_fpu(*me.fpu);
    restore_fpu(*me.fpu);
}

}  // namespace

bool on_alternate_stack(const AlternateStack& stack, UserAddr sp) {
    return stack.enabled && sp - stack.base < stack.size;
}

BsdStack to_bsd_stack(const AlternateStack& stack, UserAddr sp) {
    BsdStack out{};
    out.base = stack.base;
    out.size = stack.size;
    out.flags = !stack.enabled ? kStackDisable : on_alternate_stack(stack, sp) ? kStackOnStack : 0;
    return out;
}

Result<> push_signal_frame(TrapFrame& f, const SignalInfo& info, const SignalAction& action,
                           const SignalSet& mask) {
    const AlternateStack& alternate = current_thread().signals.stack;
    SignalFrame s{};
    s.handler = action.handler;
    s.context.mask = to_bsd_set(mask);
    s.context.stack = to_bsd_stack(alternate, f.rsp);
    MachineContext& c = s.context.machine;
    put_registers(c, f);
    put_fpu(c);
    c.on_stack = on_alternate_stack(alternate, f.rsp);
    if (info.trap || info.cause >= SignalCause::NotMapped) {
        c.trap = to_bsd_trap(info.trap);
        c.error = info.trap_error;
        c.address = info.address;
    }
    s.info = to_bsd_info(info);

    UserAddr sp = f.rsp - kRedZone;
    if (action.flags & SignalAction::kOnStack && alternate.enabled && !c.on_stack)
        sp = alternate.base + alternate.size;
    if (fpu_size() > kLegacySize) {
        const std::span<const std::byte> extended = current_fpu().subspan(kLegacySize);
        sp = (sp - extended.size()) & ~63ull;
        SKEP_TRY(copy_out(sp, extended.data(), extended.size()));
        c.extended = sp;
        c.extended_size = extended.size();
        c.flags |= kContextHasExtended;
    }
    sp = (sp - sizeof s) & ~15ull;
    SKEP_TRY(copy_out(sp, s));
    start_fpu_afresh();

    f.rdi = static_cast<std::uint64_t>(info.signal);
    // Without SA_SIGINFO the second argument is the code, as of old.
    f.rsi = action.flags & SignalAction::kSigInfo ? sp + offsetof(SignalFrame, info)
                                                  : static_cast<std::uint32_t>(s.info.code);
    f.rdx = sp + offsetof(SignalFrame, context);
    f.rcx = info.address;
    f.rsp = sp;
    f.rip = kSharedPageTrampoline;
    f.rflags &= ~(kRflagsDirection | kRflagsTrap);
    f.use_iret();
    return {};
}

Result<> restore_context(TrapFrame& f, UserAddr at) {
    const auto u = SKEP_TRY(copy_in<UserContext>(at));
    const MachineContext& c = u.machine;
    if (c.size != sizeof c || c.rip >= kUserEnd)
        return fail(Errno::Inval);
    SKEP_TRY(take_fpu(c));
    take_registers(f, c);
    if (c.flags & kContextHasBases && c.fs_base < kUserEnd && c.gs_base < kUserEnd) {
        Thread& me = current_thread();
        const InterruptsOff off;
        me.fs_base = c.fs_base;
        me.gs_base = c.gs_base;
        write_msr(Msr::FsBase, c.fs_base);
        write_msr(Msr::KernelGsBase, c.gs_base);
    }
    set_signal_mask(from_bsd_set(u.mask));
    return {};
}

Result<> save_context(const TrapFrame& f, UserAddr at) {
    UserContext u{};
    put_registers(u.machine, f);
    put_fpu(u.machine);
    u.machine.rax = 0;
    u.machine.rflags &= ~kCarry;
    u.mask = to_bsd_set(current_thread().signals.mask);
    u.stack = to_bsd_stack(current_thread().signals.stack, f.rsp);
    return copy_out(at, u);
}

}  // namespace skep::kernel::freebsd_abi
