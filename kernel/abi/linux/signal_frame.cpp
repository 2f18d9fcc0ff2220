#include <kernel/abi/linux/signal_frame.hpp>

#include <kernel/abi/linux/signal_numbers.hpp>
#include <kernel/arch/x86_64/cpu.hpp>
#include <kernel/arch/x86_64/fpu.hpp>
#include <kernel/mm/layout.hpp>
#include <kernel/mm/user.hpp>
#include <kernel/proc/signal.hpp>

#include <cstring>

namespace skep::kernel::linux_abi {

namespace {

struct SignalContext {
    std::uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip,
        rflags;
    std::uint16_t cs, gs, fs, ss;
    std::uint64_t error, trap, old_mask, cr2;
    std::uint64_t fpu;
    std::uint64_t reserved[8];
};
static_assert(sizeof(SignalContext) == 256);

struct UserContext {
    std::uint64_t flags, link;
    LinuxStack stack;
    SignalContext context;
    LinuxSet mask;
};
constexpr std::uint64_t kFpXstate = 1, kContextSs = 2, kStrictRestoreSs = 4;

struct SignalFrame {
    std::uint64_t return_address;
    UserContext context;
    LinuxSigInfo info;
};

// What Linux puts into the software bytes of the XSAVE area: tells that the extended part is there.
struct FpxSoftwareBytes {
    std::uint32_t magic1, extended_size;
    std::uint64_t features;
    std::uint32_t xstate_size, padding[7];
};
static_assert(sizeof(FpxSoftwareBytes) == 48);
constexpr std::uint32_t kMagic1 = 0x46505853, kMagic2 = 0x46505845;
constexpr std::size_t kSoftwareBytes = 464;
constexpr std::size_t kLegacySize = 512;
constexpr std::uint64_t kRedZone = 128;

constexpr std::uint64_t kUserRflags =
    0xcd5 | kRflagsTrap | 1 << 18 | 1 << 21;  // CF PF AF ZF SF TF DF OF, AC, ID

Result<> push_fpu(UserAddr at) {
    Thread& me = current_thread();
    {
        const InterruptsOff off;
        save_fpu(*me.fpu);
    }
    const std::span<std::byte> bytes = fpu_bytes(*me.fpu);
    SKEP_TRY(copy_out(at, bytes.data(), bytes.size()));
    if (bytes.size() > kLegacySize) {
        const FpxSoftwareBytes software{kMagic1,
                                        static_cast<std::uint32_t>(bytes.size() + sizeof kMagic2),
                                        fpu_components(),
                                        static_cast<std::uint32_t>(bytes.size()),
                                        {}};
        SKEP_TRY(copy_out(at + kSoftwareBytes, software));
        SKEP_TRY(copy_out(at + bytes.size(), kMagic2));
    }
    return {};
}

Result<> pop_fpu(UserAddr at) {
    Thread& me = current_thread();
    if (!at) {
        const InterruptsOff off;
        reset_fpu(*me.fpu);
        restore_fpu(*me.fpu);
        return {};
    }
    // Into a copy: the thread may be switched away from while it is read.
    FpuState* state = allocate_fpu();
    if (!state)
        return fail(Errno::NoMem);
    const std::span<std::byte> bytes = fpu_bytes(*state);
    Result<> result = copy_in(bytes.data(), at, kLegacySize);
    if (result && bytes.size() > kLegacySize) {
        FpxSoftwareBytes software;
        std::memcpy(&software, bytes.data() + kSoftwareBytes, sizeof software);
        if (software.magic1 == kMagic1 && software.xstate_size == bytes.size())
            result = copy_in(bytes.data(), at, bytes.size());
    }
    if (result) {
        sanitize_fpu(*state);
        const InterruptsOff off;
        copy_fpu(*me.fpu, *state);
        restore_fpu(*me.fpu);
    }
    free_fpu(state);
    return result;
}

}  // namespace

bool on_alternate_stack(const AlternateStack& stack, UserAddr sp) {
    return stack.enabled && sp - stack.base < stack.size;
}

LinuxStack to_linux_stack(const AlternateStack& stack, UserAddr sp) {
    std::int32_t flags = stack.enabled ? 0 : kStackDisable;
    if (on_alternate_stack(stack, sp))
        flags |= kStackOnStack;
    if (stack.auto_disarm)
        flags |= kStackAutoDisarm;
    return {stack.base, flags, 0, stack.size};
}

Result<> push_signal_frame(TrapFrame& f, const SignalInfo& info, const SignalAction& action,
                           const SignalSet& mask) {
    Thread& me = current_thread();
    AlternateStack& alternate = me.signals.stack;
    SignalFrame s{};
    s.return_address = action.restorer;
    s.context.flags = kContextSs | kStrictRestoreSs | (fpu_size() > kLegacySize ? kFpXstate : 0);
    s.context.stack = to_linux_stack(alternate, f.rsp);
    s.context.mask = to_linux_set(mask);
    SignalContext& c = s.context.context;
    c = {.r8 = f.r8,
         .r9 = f.r9,
         .r10 = f.r10,
         .r11 = f.r11,
         .r12 = f.r12,
         .r13 = f.r13,
         .r14 = f.r14,
         .r15 = f.r15,
         .rdi = f.rdi,
         .rsi = f.rsi,
         .rbp = f.rbp,
         .rbx = f.rbx,
         .rdx = f.rdx,
         .rax = f.rax,
         .rcx = f.rcx,
         .rsp = f.rsp,
         .rip = f.rip,
         .rflags = f.rflags,
         .cs = static_cast<std::uint16_t>(f.cs),
         .gs = 0,
         .fs = 0,
         .ss = static_cast<std::uint16_t>(f.ss),
         .error = info.trap_error,
         .trap = info.trap,
         .old_mask = to_linux_set(mask),
         .cr2 = info.address,
         .fpu = 0,
         .reserved = {}};
    s.info = to_linux_info(info);

    UserAddr sp = f.rsp - kRedZone;
    if (action.flags & SignalAction::kOnStack && alternate.enabled &&
        !on_alternate_stack(alternate, f.rsp)) {
        sp = alternate.base + alternate.size;
        if (alternate.auto_disarm)
            alternate = {};
    }
    sp = (sp - fpu_size() - sizeof kMagic2) & ~63ull;
    c.fpu = sp;
    SKEP_TRY(push_fpu(sp));
    sp = ((sp - sizeof s) & ~15ull) - 8;  // as after a call
    SKEP_TRY(copy_out(sp, s));

    f.rdi = to_linux_signal(info.signal);
    f.rsi = sp + offsetof(SignalFrame, info);
    f.rdx = sp + offsetof(SignalFrame, context);
    f.rax = 0;
    f.rsp = sp;
    f.rip = action.handler;
    f.rflags &= ~(kRflagsDirection | kRflagsTrap);
    f.use_iret();
    return {};
}

Result<> return_from_signal(TrapFrame& f) {
    const auto u = SKEP_TRY(
        copy_in<UserContext>(f.rsp - sizeof(std::uint64_t) + offsetof(SignalFrame, context)));
    const SignalContext& c = u.context;
    if (c.rip >= kUserEnd)
        return fail(Errno::Fault);
    SKEP_TRY(pop_fpu(c.fpu));
    f.r8 = c.r8, f.r9 = c.r9, f.r10 = c.r10, f.r11 = c.r11, f.r12 = c.r12, f.r13 = c.r13,
    f.r14 = c.r14, f.r15 = c.r15;
    f.rdi = c.rdi, f.rsi = c.rsi, f.rbp = c.rbp, f.rbx = c.rbx, f.rdx = c.rdx, f.rax = c.rax,
    f.rcx = c.rcx;
    f.rsp = c.rsp;
    f.rip = c.rip;
    f.rflags = (c.rflags & kUserRflags) | kRflagsInterrupt | 2;
    f.cs = USER_CODE_SELECTOR;
    f.ss = USER_DATA_SELECTOR;
    f.use_iret();
    set_signal_mask(from_linux_set(u.mask));
    AlternateStack& alternate = current_thread().signals.stack;
    if (!on_alternate_stack(alternate, f.rsp))
        alternate = {u.stack.base, u.stack.size, !(u.stack.flags & kStackDisable),
                     (u.stack.flags & kStackAutoDisarm) != 0};
    return {};
}

}  // namespace skep::kernel::linux_abi
