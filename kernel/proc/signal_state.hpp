// Signals as the kernel keeps them: FreeBSD's numbers (signal(3)), sets of 128. Personalities
// translate.
#pragma once

#include <kernel/base/list.hpp>
#include <kernel/mm/user.hpp>

#include <array>
#include <bit>
#include <cstdint>

namespace skep::kernel {

enum class Signal : std::uint8_t {
    None = 0,
    Hup,
    Int,
    Quit,
    Ill,
    Trap,
    Abrt,
    Emt,
    Fpe,
    Kill,
    Bus,
    Segv,
    Sys,
    Pipe,
    Alrm,
    Term,
    Urg,
    Stop,
    Tstp,
    Cont,
    Chld,
    Ttin,
    Ttou,
    Io,
    Xcpu,
    Xfsz,
    VtAlrm,
    Prof,
    Winch,
    Info,
    Usr1,
    Usr2,
    Thr,
    LibRt,
    RtMin = 65,
    RtMax = 126,
};
inline constexpr unsigned kSignals = 128;

class SignalSet {
  public:
    constexpr SignalSet() = default;
    constexpr SignalSet(std::initializer_list<Signal> signals) {
        for (const Signal s : signals)
            add(s);
    }
    static constexpr SignalSet all() {
        SignalSet set;
        set.words_ = {~0ull, ~0ull};
        return set;
    }
    constexpr bool has(Signal s) const { return words_[index(s)] & bit(s); }
    constexpr void add(Signal s) { words_[index(s)] |= bit(s); }
    constexpr void remove(Signal s) { words_[index(s)] &= ~bit(s); }
    constexpr bool empty() const { return (words_[0] | words_[1]) == 0; }
    constexpr SignalSet operator|(const SignalSet& o) const {
        return {words_[0] | o.words_[0], words_[1] | o.words_[1]};
    }
    constexpr SignalSet operator&(const SignalSet& o) const {
        return {words_[0] & o.words_[0], words_[1] & o.words_[1]};
    }
    constexpr SignalSet operator~() const { return {~words_[0], ~words_[1]}; }
    // The lowest one; None if empty.
    constexpr Signal first() const {
        if (words_[0])
            return static_cast<Signal>(std::countr_zero(words_[0]));
        return words_[1] ? static_cast<Signal>(64 + std::countr_zero(words_[1])) : Signal::None;
    }

  private:
    constexpr SignalSet(std::uint64_t low, std::uint64_t high) : words_{low, high} {}
    static constexpr std::size_t index(Signal s) { return static_cast<std::size_t>(s) / 64; }
    static constexpr std::uint64_t bit(Signal s) {
        return std::uint64_t{1} << static_cast<unsigned>(s) % 64;
    }
    std::array<std::uint64_t, 2> words_{};
};

// Can be neither caught, ignored nor blocked.
inline constexpr SignalSet kUnblockable{Signal::Kill, Signal::Stop};

enum class SignalCause : std::uint8_t {
    User,    // kill
    Thread,  // tgkill, thr_kill
    Queue,   // sigqueue
    Timer,
    Kernel,
    ChildExited,
    ChildKilled,
    ChildDumped,
    ChildStopped,
    ChildContinued,
    NotMapped,
    NoAccess,  // SEGV
    BadAddress,
    Misaligned,  // BUS
    IntegerDivide,
    FloatDivide,
    FloatOverflow,
    FloatUnderflow,
    FloatInexact,
    FloatInvalid,  // FPE
    IllegalOpcode,
    PrivilegedOpcode,  // ILL
    Breakpoint,
    Trace,  // TRAP
};

struct SignalInfo {
    Signal signal = Signal::None;
    SignalCause cause = SignalCause::Kernel;
    std::int32_t error = 0;
    std::int32_t process = 0;
    std::uint32_t user = 0;
    std::int32_t status = 0;
    UserAddr address = 0;
    std::uint64_t value = 0;    // sigval
    std::int32_t raw_code = 0;  // of Queue: what the sender gave (below 0)
    std::uint32_t trap = 0, trap_error = 0;
    std::int32_t timer = 0;      // of Timer: its number,
    std::uint32_t overruns = 0;  // and how often it came before
};

struct QueuedSignal : ListNode<> {
    SignalInfo info;
};

// What waits to be delivered to a thread or to a process. Under the process's signal lock.
class PendingSignals {
  public:
    ~PendingSignals();
    const SignalSet& set() const { return set_; }
    // Queues the information if memory allows; ordinary signals are kept once. `node` may be null.
    void add(const SignalInfo& info, QueuedSignal* node);
    // Takes one instance of `signal`.
    SignalInfo take(Signal signal);
    // Whether a timer's signal waits here; it is told that the timer came `times` more.
    bool count_overruns(Signal signal, std::int32_t timer, std::uint32_t times);
    void discard(const SignalSet& signals);

  private:
    SignalSet set_;
    List<QueuedSignal> queue_;
};

struct SignalAction {
    enum Flag : std::uint32_t {
        kOnStack = 1,
        kRestart = 2,
        kResetHand = 4,
        kNoChildStop = 8,
        kNoDefer = 16,
        kNoChildWait = 32,
        kSigInfo = 64
    };
    UserAddr handler = 0;  // kDefault, kIgnore or a function
    UserAddr restorer = 0;
    std::uint32_t flags = 0;
    SignalSet mask = {};
};
inline constexpr UserAddr kSignalDefault = 0, kSignalIgnore = 1;

struct AlternateStack {
    UserAddr base = 0;
    std::uint64_t size = 0;
    bool enabled = false;
    bool auto_disarm = false;
};

struct ThreadSignals {
    SignalSet mask;
    // sigsuspend, ppoll...: the mask to return to once a signal has been delivered.
    SignalSet saved_mask;
    bool restore_mask = false;
    SignalSet waiting_for;  // sigwait
    PendingSignals pending;
    AlternateStack stack;
};

}  // namespace skep::kernel
