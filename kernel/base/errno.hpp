// The kernel's errors: FreeBSD's numbers (errno(2)). The Linux personality translates them at its
// edge.
#pragma once

#include <cstdint>
#include <expected>

namespace skep::kernel {

enum class Errno : std::uint16_t {
    Perm = 1,
    NoEnt,
    Srch,
    Intr,
    Io,
    NxIo,
    TooBig,
    NoExec,
    BadF,
    Child,
    Deadlk = 11,
    NoMem,
    Acces,
    Fault,
    NotBlk,
    Busy,
    Exist,
    XDev,
    NoDev,
    NotDir,
    IsDir = 21,
    Inval,
    NFile,
    MFile,
    NoTty,
    TxtBsy,
    FBig,
    NoSpc,
    SPipe,
    RoFs,
    MLink = 31,
    Pipe,
    Dom,
    Range,
    Again,
    InProgress,
    Already,
    NotSock,
    DestAddrReq,
    MsgSize,
    ProtoType = 41,
    NoProtoOpt,
    ProtoNoSupport,
    SocktNoSupport,
    OpNotSupp,
    PfNoSupport,
    AfNoSupport,
    AddrInUse,
    AddrNotAvail,
    NetDown,
    NetUnreach = 51,
    NetReset,
    ConnAborted,
    ConnReset,
    NoBufs,
    IsConn,
    NotConn,
    Shutdown,
    TooManyRefs,
    TimedOut,
    ConnRefused = 61,
    Loop,
    NameTooLong,
    HostDown,
    HostUnreach,
    NotEmpty,
    ProcLim,
    Users,
    DQuot,
    Stale,
    NoLck = 77,
    NoSys = 78,
    FType = 79,
    Auth = 80,
    IdRm = 82,
    NoMsg = 83,
    Canceled = 85,
    Overflow = 84,
    IlSeq = 86,
    NoAttr = 87,
    BadMsg = 89,
    NotCapable = 93,
    CapMode = 94,
    NotRecoverable = 95,
    OwnerDead = 96,
    // Internal, never seen by a program: the system call restarts after the signal handler, or not;
    // restarts whatever the handler says.
    Restart = 512,
    JustReturn = 513,
    RestartAlways = 514,
};

template <typename T = void>
using Result = std::expected<T, Errno>;

inline std::unexpected<Errno> fail(Errno error) {
    return std::unexpected(error);
}

namespace detail {
template <typename T>
inline T take(std::expected<T, Errno>& result) {
    if constexpr (!std::is_void_v<T>)
        return static_cast<T&&>(*result);
}
}  // namespace detail

// Returns the error of a failed Result from the calling function; else yields its value.
#define SKEP_TRY(expression)                           \
    __extension__({                                    \
        auto result_ = (expression);                   \
        if (!result_) [[unlikely]]                     \
            return ::std::unexpected(result_.error()); \
        ::skep::kernel::detail::take(result_);         \
    })

}  // namespace skep::kernel
