#include <kernel/abi/ioctls.hpp>

#include <kernel/vfs/current.hpp>
#include <kernel/vfs/ioctl.hpp>

#include <algorithm>

namespace skep::kernel::abi {

namespace {

Result<> set_flag(File& file, std::uint32_t flag, UserAddr argument) {
    const int on = SKEP_TRY(copy_in<int>(argument));
    file.set_flags(on ? file.flags() | flag : file.flags() & ~flag);
    return {};
}

Result<> of_terminal(CommonIoctl meaning, Tty& tty, bool master, UserAddr argument) {
    switch (meaning) {
        case CommonIoctl::GiveUpControlling:
            return tty.give_up_controlling();
        case CommonIoctl::GetGroup:
            return copy_out(argument, SKEP_TRY(tty.foreground_group(master)));
        case CommonIoctl::SetGroup:
            return tty.set_foreground_group(SKEP_TRY(copy_in<std::int32_t>(argument)));
        case CommonIoctl::GetSession:
            return copy_out(argument, SKEP_TRY(tty.session()));
        case CommonIoctl::GetWindowSize:
            return copy_out(argument, tty.window_size());
        case CommonIoctl::SetWindowSize:
            tty.set_window_size(SKEP_TRY(copy_in<WindowSize>(argument)));
            return {};
        default:
            return fail(Errno::NoTty);
    }
}

Result<std::uint64_t> done(const Result<>& result) {
    if (!result)
        return fail(result.error());
    return 0;
}

}  // namespace

std::optional<Result<std::uint64_t>> common_ioctl(std::span<const IoctlRow> rows, File& file,
                                                  std::uint32_t descriptor, std::uint32_t request,
                                                  UserAddr argument) {
    const auto row = std::ranges::find(rows, request, &IoctlRow::request);
    if (row == rows.end())
        return std::nullopt;
    switch (row->meaning) {
        case CommonIoctl::CloseOnExec:
        case CommonIoctl::KeepOnExec:
            return done(current_descriptors().set_close_on_exec(
                descriptor, row->meaning == CommonIoctl::CloseOnExec));
        case CommonIoctl::NonBlocking:
            return done(set_flag(file, kOpenNonblock, argument));
        case CommonIoctl::Asynchronous:
            return done(set_flag(file, kOpenAsync, argument));
        case CommonIoctl::BytesReadable:
            return file.ioctl(kIoctlBytesReadable, argument);
        case CommonIoctl::BytesWritable:
            return file.ioctl(kIoctlBytesWritable, argument);
        default:
            break;
    }
    if (!file.tty())
        return std::nullopt;
    return done(of_terminal(row->meaning, *file.tty(), file.tty_master(), argument));
}

}  // namespace skep::kernel::abi
