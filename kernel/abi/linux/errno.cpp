#include <kernel/abi/linux/errno.hpp>

#include <array>

namespace skep::kernel::linux_abi {

namespace {

constexpr auto kTable = [] {
    std::array<std::uint16_t, 97> t{};
    for (std::uint16_t i = 1; i <= 34; i++)  // alike in both, but for 11
        t[i] = i;
    auto set = [&](Errno error, std::uint16_t number) {
        t[static_cast<std::size_t>(error)] = number;
    };
    set(Errno::Deadlk, 35);
    set(Errno::Again, 11);
    set(Errno::InProgress, 115);
    set(Errno::Already, 114);
    set(Errno::NotSock, 88);
    set(Errno::DestAddrReq, 89);
    set(Errno::MsgSize, 90);
    set(Errno::ProtoType, 91);
    set(Errno::NoProtoOpt, 92);
    set(Errno::ProtoNoSupport, 93);
    set(Errno::SocktNoSupport, 94);
    set(Errno::OpNotSupp, 95);
    set(Errno::PfNoSupport, 96);
    set(Errno::AfNoSupport, 97);
    set(Errno::AddrInUse, 98);
    set(Errno::AddrNotAvail, 99);
    set(Errno::NetDown, 100);
    set(Errno::NetUnreach, 101);
    set(Errno::NetReset, 102);
    set(Errno::ConnAborted, 103);
    set(Errno::ConnReset, 104);
    set(Errno::NoBufs, 105);
    set(Errno::IsConn, 106);
    set(Errno::NotConn, 107);
    set(Errno::Shutdown, 108);
    set(Errno::TooManyRefs, 109);
    set(Errno::TimedOut, 110);
    set(Errno::ConnRefused, 111);
    set(Errno::Loop, 40);
    set(Errno::NameTooLong, 36);
    set(Errno::HostDown, 112);
    set(Errno::HostUnreach, 113);
    set(Errno::NotEmpty, 39);
    set(Errno::ProcLim, 11);
    set(Errno::Users, 87);
    set(Errno::DQuot, 122);
    set(Errno::Stale, 116);
    set(Errno::NoLck, 37);
    set(Errno::NoSys, 38);
    set(Errno::FType, 22);
    set(Errno::Auth, 13);
    set(Errno::IdRm, 43);
    set(Errno::NoMsg, 42);
    set(Errno::Canceled, 125);
    set(Errno::Overflow, 75);
    set(Errno::IlSeq, 84);
    set(Errno::NoAttr, 61);
    set(Errno::BadMsg, 74);
    set(Errno::NotCapable, 1);
    set(Errno::CapMode, 1);
    set(Errno::NotRecoverable, 131);
    set(Errno::OwnerDead, 130);
    return t;
}();

}  // namespace

std::uint16_t linux_errno(Errno error) {
    constexpr std::uint16_t kIo = 5, kIntr = 4;
    const auto number = static_cast<std::size_t>(error);
    if (error == Errno::Restart)
        return kIntr;
    return number < kTable.size() && kTable[number] ? kTable[number] : kIo;
}

}  // namespace skep::kernel::linux_abi
