#include <kernel/abi/freebsd/ioctl.hpp>

#include <kernel/abi/freebsd/tables.hpp>
#include <kernel/abi/freebsd/termios.hpp>
#include <kernel/abi/ioctls.hpp>
#include <kernel/base/format.hpp>
#include <kernel/dev/tty/pty.hpp>
#include <kernel/event/kqueue.hpp>
#include <kernel/vfs/current.hpp>
#include <kernel/vfs/ioctl.hpp>
#include <kernel/vfs/path.hpp>

#include <array>

namespace skep::kernel::freebsd_abi {

namespace {

enum Request : std::uint32_t {
    kFioClex = 0x20006601,
    kFioNClex = 0x20006602,
    kFioNRead = 0x4004667f,
    kFioNbio = 0x8004667e,
    kFioAsync = 0x8004667d,
    kFioSetOwn = 0x8004667c,
    kFioGetOwn = 0x4004667b,
    kFioDType = 0x4004667a,
    kFioDGName = 0x80106678,
    kFioNWrite = 0x40046677,
    kFkqMulti = 0x80046659,  // SKQ's
    kFkqTune = 0x8004665b,
    kFkqMPrnt = 0x2000665a,
    kTiocSCtty = 0x20007461,
    kTiocGSid = 0x40047463,
    kTiocGetD = 0x4004741a,
    kTiocSetD = 0x8004741b,
    kTiocStI = 0x80017472,
    kTiocGWinSz = 0x40087468,
    kTiocSWinSz = 0x80087467,
    kTiocNotty = 0x20007471,
    kTiocOutQ = 0x40047473,
    kTiocSPgrp = 0x80047476,
    kTiocGPgrp = 0x40047477,
    kTiocDrain = 0x2000745e,
    kTiocFlush = 0x80047410,
    kTiocGetA = 0x402c7413,
    kTiocSetA = 0x802c7414,
    kTiocSetAW = 0x802c7415,
    kTiocSetAF = 0x802c7416,
    kTiocExcl = 0x2000740d,
    kTiocNxcl = 0x2000740e,
    kTiocStop = 0x2000746f,
    kTiocStart = 0x2000746e,
    kTiocSBrk = 0x2000747b,
    kTiocCBrk = 0x2000747a,
    kTiocPtMaster = 0x2000741c,
    kTiocSDtr = 0x20007479,
    kTiocCDtr = 0x20007478,
    kTiocGDrainWait = 0x40047456,
    kTiocSDrainWait = 0x80047457,
};

constexpr abi::IoctlRow kCommon[] = {
    {kFioClex, abi::CommonIoctl::CloseOnExec},
    {kFioNClex, abi::CommonIoctl::KeepOnExec},
    {kFioNbio, abi::CommonIoctl::NonBlocking},
    {kFioAsync, abi::CommonIoctl::Asynchronous},
    {kTiocOutQ, abi::CommonIoctl::BytesWritable},
    {kTiocNotty, abi::CommonIoctl::GiveUpControlling},
    {kTiocGPgrp, abi::CommonIoctl::GetGroup},
    {kTiocSPgrp, abi::CommonIoctl::SetGroup},
    {kTiocGSid, abi::CommonIoctl::GetSession},
    {kTiocGWinSz, abi::CommonIoctl::GetWindowSize},
    {kTiocSWinSz, abi::CommonIoctl::SetWindowSize},
};

// What d_type a device has: sys/conf.h.
Result<> put_device_type(File& file, UserAddr argument) {
    constexpr std::int32_t kPlain = 0, kDisk = 2, kTty = 4;
    if (file.kind() == FileKind::Tty)
        return copy_out(argument, kTty);
    FileStat stat;
    SKEP_TRY(file.stat(stat));
    switch (stat.mode & kModeTypeMask) {
        case mode_of(VnodeType::CharDevice):
            return copy_out(argument, kPlain);
        case mode_of(VnodeType::BlockDevice):
            return copy_out(argument, kDisk);
        default:
            return fail(Errno::NoTty);
    }
}

// ttyname(3): the device's name below /dev, as it was opened; ptsname(3): that of the terminal,
// asked of its master.
Result<> put_device_name(File& file, UserAddr argument) {
    struct Request {  // struct fiodgname_arg
        std::int32_t size, padding;
        UserAddr buffer;
    };
    static_assert(sizeof(Request) == 16);
    if (file.kind() != FileKind::Tty && file.kind() != FileKind::Device)
        return fail(Errno::NoTty);
    const auto request = SKEP_TRY(copy_in<Request>(argument));
    std::array<char, 32> number;
    Text path;
    std::string_view name;
    if (file.tty_master()) {
        name = format_to(number, "pts/{}", static_cast<const PtyTerminal&>(*file.tty()).number());
    } else {
        if (!file.opened_in())
            return fail(Errno::Inval);
        path = SKEP_TRY(path_of(current_fs(), file.opened_in(), file.opened_name()));
        constexpr std::string_view kDevices = "/dev/";
        name = path.view();
        if (!name.starts_with(kDevices))
            return fail(Errno::Inval);
        name.remove_prefix(kDevices.size());
    }
    if (request.size < 0 || static_cast<std::size_t>(request.size) <= name.size())
        return fail(Errno::Inval);
    SKEP_TRY(copy_out(request.buffer, name.data(), name.size()));
    return copy_out(request.buffer + name.size(), '\0');
}

Result<> flush(Tty& tty, UserAddr argument) {
    constexpr std::int32_t kRead = 1, kWrite = 2;
    const auto what = SKEP_TRY(copy_in<std::int32_t>(argument));
    tty.flush(what == 0 || what & kRead, what == 0 || what & kWrite);
    return {};
}

Result<> tty_ioctl(File& file, Tty& tty, std::uint32_t request, UserAddr argument) {
    switch (request) {
        case kTiocGetA:
            return copy_out(argument, to_bsd(tty.settings()));
        case kTiocSetA:
        case kTiocSetAW:
        case kTiocSetAF: {
            const Termios wanted = from_bsd(SKEP_TRY(copy_in<BsdTermios>(argument)));
            return tty.set_settings(wanted, request == kTiocSetA ? ApplyWhen::Now
                                            : request == kTiocSetAW
                                                ? ApplyWhen::AfterOutput
                                                : ApplyWhen::AfterOutputFlushingInput);
        }
        case kTiocSCtty:
            return tty.make_controlling(false);
        case kTiocGetD:  // the line discipline: there is one, and stty(1) asks which
            return copy_out(argument, std::int32_t{0});
        case kTiocSetD:
            return SKEP_TRY(copy_in<std::int32_t>(argument)) == 0 ? Result<>() : fail(Errno::NxIo);
        case kTiocStI: {  // as if it had been typed: csh(1), mail(1)
            const auto byte = SKEP_TRY(copy_in<std::uint8_t>(argument));
            if (!current_caller().superuser() && Tty::controlling().get() != &tty)
                return fail(Errno::Acces);
            tty.input({&byte, 1});
            return {};
        }
        case kTiocFlush:
            return flush(tty, argument);
        case kTiocGDrainWait:
            return copy_out(argument, std::int32_t{0});
        // Written bytes are on their way already; there is no line to break and no modem to
        // control.
        case kTiocDrain:
        case kTiocSDrainWait:
        case kTiocExcl:
        case kTiocNxcl:
        case kTiocStop:
        case kTiocStart:
        case kTiocSBrk:
        case kTiocCBrk:
        case kTiocSDtr:
        case kTiocCDtr:
            return {};
        default:
            return (SKEP_TRY(file.ioctl(request, argument)), Result<>());
    }
}

Result<> kqueue_ioctl(Kqueue& kqueue, std::uint32_t request, UserAddr argument) {
    switch (request) {
        case kFkqMulti:
            return kqueue.schedule(SKEP_TRY(copy_in<std::uint32_t>(argument)));
        case kFkqTune:
            return kqueue.tune(SKEP_TRY(copy_in<std::uint32_t>(argument)));
        case kFkqMPrnt:  // to the console, which is not everybody's
            return current_caller().superuser() ? kqueue.log_queues() : fail(Errno::Perm);
        default:
            return (SKEP_TRY(kqueue.ioctl(request, argument)), Result<>());
    }
}

}  // namespace

Result<std::uint64_t> file_ioctl(File& file, std::uint32_t descriptor, std::uint32_t request,
                                 UserAddr argument) {
    static_assert(kFioNRead == kIoctlBytesReadable && kFioNWrite == kIoctlBytesWritable);
    if (const auto common = abi::common_ioctl(kCommon, file, descriptor, request, argument))
        return *common;
    switch (request) {
        case kFioSetOwn:
            return 0;  // no SIGIO is ever sent
        case kFioGetOwn:
            return done(copy_out(argument, std::int32_t{0}));
        case kFioDType:
            return done(put_device_type(file, argument));
        case kFioDGName:
            return done(put_device_name(file, argument));
        default:
            break;
    }
    if (request == kTiocPtMaster)
        return file.tty_master() ? Result<std::uint64_t>(0) : fail(Errno::Inval);
    if (Kqueue* kqueue = file.kqueue(); kqueue && kqueue->view() == KqueueView::Kqueue)
        return done(kqueue_ioctl(*kqueue, request, argument));
    if (Tty* tty = file.tty())
        return done(tty_ioctl(file, *tty, request, argument));
    return file.ioctl(request, argument);
}

}  // namespace skep::kernel::freebsd_abi
