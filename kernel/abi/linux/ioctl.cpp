#include <kernel/abi/linux/ioctl.hpp>

#include <kernel/abi/ioctls.hpp>
#include <kernel/abi/linux/arguments.hpp>
#include <kernel/abi/linux/termios.hpp>
#include <kernel/base/format.hpp>
#include <kernel/dev/tty/pty.hpp>
#include <kernel/vfs/current.hpp>
#include <kernel/vfs/ioctl.hpp>

namespace skep::kernel::linux_abi {

namespace {

// asm-generic/ioctls.h
enum Request : std::uint32_t {
    kTcGetS = 0x5401,
    kTcSetS = 0x5402,
    kTcSetSW = 0x5403,
    kTcSetSF = 0x5404,
    kTcSendBreak = 0x5409,
    kTcXonC = 0x540a,
    kTcFlush = 0x540b,
    kTiocSCtty = 0x540e,
    kTiocGPgrp = 0x540f,
    kTiocSPgrp = 0x5410,
    kTiocOutQ = 0x5411,
    kTiocGWinSz = 0x5413,
    kTiocSWinSz = 0x5414,
    kFioNRead = 0x541b,
    kFioNbio = 0x5421,
    kTiocNotty = 0x5422,
    kTiocGSid = 0x5429,
    kTiocGPtPeer = 0x5441,
    kFioNClex = 0x5450,
    kFioClex = 0x5451,
    kFioAsync = 0x5452,
    kTcGetS2 = 0x802c542a,
    kTcSetS2 = 0x402c542b,
    kTcSetSW2 = 0x402c542c,
    kTcSetSF2 = 0x402c542d,
};

constexpr abi::IoctlRow kCommon[] = {
    {kFioClex, abi::CommonIoctl::CloseOnExec},
    {kFioNClex, abi::CommonIoctl::KeepOnExec},
    {kFioNbio, abi::CommonIoctl::NonBlocking},
    {kFioAsync, abi::CommonIoctl::Asynchronous},
    {kFioNRead, abi::CommonIoctl::BytesReadable},
    {kTiocOutQ, abi::CommonIoctl::BytesWritable},
    {kTiocNotty, abi::CommonIoctl::GiveUpControlling},
    {kTiocGPgrp, abi::CommonIoctl::GetGroup},
    {kTiocSPgrp, abi::CommonIoctl::SetGroup},
    {kTiocGSid, abi::CommonIoctl::GetSession},
    {kTiocGWinSz, abi::CommonIoctl::GetWindowSize},
    {kTiocSWinSz, abi::CommonIoctl::SetWindowSize},
};

ApplyWhen when(std::uint32_t request) {
    switch (request) {
        case kTcSetSW:
        case kTcSetSW2:
            return ApplyWhen::AfterOutput;
        case kTcSetSF:
        case kTcSetSF2:
            return ApplyWhen::AfterOutputFlushingInput;
        default:
            return ApplyWhen::Now;
    }
}

Result<> tty_ioctl(File& file, Tty& tty, std::uint32_t request, UserAddr argument) {
    switch (request) {
        case kTcGetS:
            return copy_out(argument, to_linux(tty.settings()));
        case kTcGetS2: {
            const Termios settings = tty.settings();
            return copy_out(argument, LinuxTermios2{to_linux(settings), settings.input_speed,
                                                    settings.output_speed});
        }
        case kTcSetS:
        case kTcSetSW:
        case kTcSetSF:
        case kTcSetS2:
        case kTcSetSW2:
        case kTcSetSF2: {
            const LinuxTermios wanted = SKEP_TRY(copy_in<LinuxTermios>(argument));
            return tty.set_settings(from_linux(wanted, tty.settings()), when(request));
        }
        case kTcSendBreak:
            return {};  // no line to break
        case kTcXonC:
            return {};
        case kTcFlush:
            if (argument > 2)
                return fail(Errno::Inval);
            tty.flush(argument != 1, argument != 0);
            return {};
        case kTiocSCtty:
            return tty.make_controlling(argument == 1 && current_caller().superuser());
        default:
            return (SKEP_TRY(file.ioctl(request, argument)), Result<>());
    }
}

// TIOCGPTPEER: the terminal of a master, opened whatever the caller can see of /dev.
Result<std::uint64_t> open_peer(File& master, std::uint32_t flags) {
    constexpr std::uint32_t kOpenAccess = 3, kONonblock = 04000, kOCloseOnExec = 02000000;
    const Tty& tty = *master.tty();
    char name[32];
    const OpenHow how{
        .flags = ((flags & kOpenAccess) + 1) | (flags & kONonblock ? kOpenNonblock : 0),
        .no_controlling_tty = true};
    const std::string_view path =
        format_to(name, "/dev/pts/{}", static_cast<const PtyTerminal&>(tty).number());
    Ref<File> file = SKEP_TRY(open_file(actor(), {nullptr, path}, how));
    return add_descriptor(std::move(file), flags & kOCloseOnExec);
}

}  // namespace

Result<std::uint64_t> file_ioctl(File& file, std::uint32_t descriptor, std::uint32_t request,
                                 UserAddr argument) {
    if (const auto common = abi::common_ioctl(kCommon, file, descriptor, request, argument))
        return *common;
    if (request == kTiocGPtPeer && file.tty_master())
        return open_peer(file, static_cast<std::uint32_t>(argument));
    if (Tty* tty = file.tty()) {
        SKEP_TRY(tty_ioctl(file, *tty, request, argument));
        return 0;
    }
    return file.ioctl(request, argument);
}

}  // namespace skep::kernel::linux_abi
