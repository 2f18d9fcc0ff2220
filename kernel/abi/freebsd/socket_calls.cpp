// FreeBSD calls on sockets of every family.
#include <kernel/abi/freebsd/socket_arguments.hpp>
#include <kernel/abi/freebsd/tables.hpp>
#include <kernel/abi/sockets.hpp>
#include <kernel/ipc/unix_socket.hpp>

#include <algorithm>

namespace skep::kernel::freebsd_abi {

namespace {

using namespace abi;

constexpr std::uint64_t kTypeFlags = kSockCloseOnExec | kSockNonblock;

std::uint32_t flags_of(std::uint64_t type) {
    return type & kSockNonblock ? kOpenNonblock : 0;
}

Returns socket(Arguments a) {
    const Family family = SKEP_TRY(family_argument(a[0]));
    const SocketType type = SKEP_TRY(type_argument(static_cast<std::uint32_t>(a[1]) & ~kTypeFlags));
    Ref<Socket> made =
        SKEP_TRY(create_socket(family, type, static_cast<std::uint32_t>(a[2]), flags_of(a[1])));
    return add_socket(std::move(made), a[1] & kSockCloseOnExec);
}

Returns socketpair(Arguments a) {
    const Family family = SKEP_TRY(family_argument(a[0]));
    const SocketType type = SKEP_TRY(type_argument(static_cast<std::uint32_t>(a[1]) & ~kTypeFlags));
    std::uint32_t descriptors[2];
    SKEP_TRY(open_socket_pair(descriptors, family, type, flags_of(a[1]), a[1] & kSockCloseOnExec));
    if (auto told = copy_out(a[3], descriptors); !told) {
        close_all(descriptors);
        return fail(told.error());
    }
    return 0;
}

Returns bind(Arguments a) {
    const SocketArgument socket = SKEP_TRY(socket_argument(a[0]));
    SKEP_TRY(socket->bind(SKEP_TRY(address_argument(a[1], a[2]))));
    return 0;
}

// The directory is the current one: bindat(AT_FDCWD).
Returns bindat(Arguments a) {
    if (static_cast<int>(a[0]) != kAtFdCwd)
        return fail(Errno::OpNotSupp);
    return bind(a + 1);
}

Returns listen(Arguments a) {
    const SocketArgument socket = SKEP_TRY(socket_argument(a[0]));
    SKEP_TRY(socket->listen(static_cast<int>(a[1])));
    return 0;
}

Returns do_accept(std::uint64_t descriptor, UserAddr address, UserAddr size_address,
                  bool nonblocking, bool close_on_exec) {
    const SocketArgument socket = SKEP_TRY(socket_argument(descriptor));
    SocketAddress peer;
    Ref<Socket> accepted = SKEP_TRY(
        restartable(socket->accept(address ? &peer : nullptr, nonblocking ? kOpenNonblock : 0)));
    if (auto told = put_address(address, size_address, peer); !told) {
        accepted->on_last_close();
        return fail(told.error());
    }
    return add_socket(std::move(accepted), close_on_exec);
}
// The new socket inherits O_NONBLOCK from the listening one.
Returns accept(Arguments a) {
    const SocketArgument socket = SKEP_TRY(socket_argument(a[0]));
    return do_accept(a[0], a[1], a[2], socket->nonblocking(), false);
}
Returns accept4(Arguments a) {
    if (a[3] & ~kTypeFlags)
        return fail(Errno::Inval);
    return do_accept(a[0], a[1], a[2], a[3] & kSockNonblock, a[3] & kSockCloseOnExec);
}

Returns connect(Arguments a) {
    const SocketArgument socket = SKEP_TRY(socket_argument(a[0]));
    // An interrupted connection goes on by itself: no restart.
    SKEP_TRY(socket->connect(SKEP_TRY(address_argument(a[1], a[2]))));
    return 0;
}
Returns connectat(Arguments a) {
    if (static_cast<int>(a[0]) != kAtFdCwd)
        return fail(Errno::OpNotSupp);
    return connect(a + 1);
}

Returns shutdown(Arguments a) {
    if (static_cast<std::uint32_t>(a[1]) > 2)
        return fail(Errno::Inval);
    const SocketArgument socket = SKEP_TRY(socket_argument(a[0]));
    SKEP_TRY(socket->shutdown(static_cast<ShutdownHow>(a[1])));
    return 0;
}

Returns getsockname(Arguments a) {
    const SocketArgument socket = SKEP_TRY(socket_argument(a[0]));
    SKEP_TRY(put_address(a[1], a[2], SKEP_TRY(socket->local_address())));
    return 0;
}
Returns getpeername(Arguments a) {
    const SocketArgument socket = SKEP_TRY(socket_argument(a[0]));
    SKEP_TRY(put_address(a[1], a[2], SKEP_TRY(socket->peer_address())));
    return 0;
}

Returns setsockopt(Arguments a) {
    const SocketArgument socket = SKEP_TRY(socket_argument(a[0]));
    if (static_cast<std::int32_t>(a[4]) < 0)
        return fail(Errno::Inval);
    SKEP_TRY(set_socket_option(*socket, static_cast<std::int32_t>(a[1]),
                               static_cast<std::int32_t>(a[2]), a[3],
                               static_cast<std::uint32_t>(a[4])));
    return 0;
}
Returns getsockopt(Arguments a) {
    const SocketArgument socket = SKEP_TRY(socket_argument(a[0]));
    SKEP_TRY(get_socket_option(*socket, static_cast<std::int32_t>(a[1]),
                               static_cast<std::int32_t>(a[2]), a[3], a[4]));
    return 0;
}

// --- messages ---

Returns sendto(Arguments a) {
    const SocketArgument socket = SKEP_TRY(socket_argument(a[0]));
    const IoSegment segment{a[1], std::min<std::size_t>(a[2], kIoMax)};
    Uio uio = Uio::user({&segment, 1});
    SocketAddress address;
    if (a[4])
        address = SKEP_TRY(address_argument(a[4], a[5]));
    Message message{.data = uio,
                    .address = a[4] ? &address : nullptr,
                    .flags = message_flags(static_cast<std::uint32_t>(a[3]))};
    return send_message(*socket, message);
}

Returns recvfrom(Arguments a) {
    const SocketArgument socket = SKEP_TRY(socket_argument(a[0]));
    const IoSegment segment{a[1], std::min<std::size_t>(a[2], kIoMax)};
    Uio uio = Uio::user({&segment, 1});
    SocketAddress address;
    Message message{.data = uio,
                    .address = a[4] ? &address : nullptr,
                    .flags = message_flags(static_cast<std::uint32_t>(a[3]))};
    const std::size_t size = SKEP_TRY(restartable(socket->receive_message(message)));
    if (a[4] && address.family == Family::Unspecified) {  // a stream's peer is not told
        SKEP_TRY(copy_out(a[5], std::uint32_t{0}));
        return size;
    }
    SKEP_TRY(put_address(a[4], a[5], address));
    return size;
}

constexpr std::uint32_t control_aligned(std::uint32_t size) {
    return (size + 7) & ~7u;
}

// The control messages of a sendmsg.
Result<> control_argument(UserAddr from, std::uint32_t size, ControlData& control) {
    constexpr std::uint32_t kControlMax = 2048;  // MCLBYTES
    if (size > kControlMax)
        return fail(Errno::Inval);
    for (std::uint32_t at = 0; at + sizeof(ControlHeader) <= size;) {
        const auto header = SKEP_TRY(copy_in<ControlHeader>(from + at));
        if (header.size < kControlDataOffset || header.size > size - at)
            return fail(Errno::Inval);
        const UserAddr data = from + at + kControlDataOffset;
        const std::uint32_t length = header.size - kControlDataOffset;
        if (header.level != kSolSocket)
            return fail(Errno::Inval);
        if (header.type == kScmRights) {
            SKEP_TRY(control.groups.push_back(length / std::uint32_t{sizeof(std::int32_t)}));
            for (std::uint32_t i = 0; i + sizeof(std::int32_t) <= length;
                 i += sizeof(std::int32_t)) {
                if (control.files.size() >= UnixSocket::kFilesMax)
                    return fail(Errno::Inval);
                SKEP_TRY(control.files.push_back(
                    SKEP_TRY(file_argument(SKEP_TRY(copy_in<std::uint32_t>(data + i))))));
            }
        } else if (header.type == kScmCredentials) {  // the kernel fills them in
            control.credentials_sent = true;
        } else {
            return fail(Errno::Inval);
        }
        at += control_aligned(header.size);
    }
    return {};
}

Returns sendmsg(Arguments a) {
    const SocketArgument socket = SKEP_TRY(socket_argument(a[0]));
    const auto header = SKEP_TRY(copy_in<MessageHeader>(a[1]));
    const Vector<IoSegment> segments =
        SKEP_TRY(iovec_argument(header.segments, static_cast<std::uint32_t>(header.segment_count)));
    Uio uio = Uio::user(segments.span());
    SocketAddress address;
    const bool named = header.name && header.name_size;
    if (named)
        address = SKEP_TRY(address_argument(header.name, header.name_size));
    ControlData control;
    const bool controlled = header.control && header.control_size;
    if (controlled)
        SKEP_TRY(control_argument(header.control, header.control_size, control));
    Message message{.data = uio,
                    .address = named ? &address : nullptr,
                    .control = controlled ? &control : nullptr,
                    .flags = message_flags(static_cast<std::uint32_t>(a[2]))};
    return send_message(*socket, message);
}

// Writes control messages one after the other.
class ControlWriter {
  public:
    ControlWriter(UserAddr to, std::uint32_t room) : to_(to), room_(room) {}
    bool fits(std::size_t length) const {
        return kControlDataOffset + length <= room_ - std::min(used_, room_);
    }
    Result<> put(std::int32_t type, const void* data, std::size_t length) {
        const auto size = static_cast<std::uint32_t>(kControlDataOffset + length);
        const UserAddr at = to_ + used_;
        SKEP_TRY(copy_out(at, ControlHeader{size, kSolSocket, type}));
        SKEP_TRY(copy_out(at + sizeof(ControlHeader), std::uint32_t{0}));
        SKEP_TRY(copy_out(at + kControlDataOffset, data, length));
        used_ += control_aligned(size);
        return {};
    }
    std::uint32_t used() const { return std::min(used_, room_); }

  private:
    UserAddr to_;
    std::uint32_t room_, used_ = 0;
};

// Descriptors in messages as they were sent, as far as there is room.
Result<> put_files(ControlWriter& to, std::span<const std::uint32_t> descriptors,
                   std::span<const std::uint32_t> groups) {
    for (std::size_t i = 0; !descriptors.empty(); i++) {
        const std::size_t wanted = i < groups.size() ? groups[i] : descriptors.size();
        const auto part = descriptors.first(std::min(wanted, descriptors.size()));
        descriptors = descriptors.subspan(part.size());
        if (!part.empty())
            SKEP_TRY(to.put(kScmRights, part.data(), part.size_bytes()));
    }
    return {};
}

Result<> put_credentials(ControlWriter& to, const PeerCredentials& from, MessageFlags& flags) {
    ControlCredentials shown{};
    shown.process = from.process;
    shown.user = shown.effective_user = from.user;
    shown.group = shown.groups[0] = from.group;
    shown.group_count = 1;
    if (!to.fits(sizeof shown)) {
        flags |= kMessageControlTruncated;
        return {};
    }
    return to.put(kScmCredentials, &shown, sizeof shown);
}

// How many of the files the control messages that they came in have room for.
std::size_t files_with_room(std::uint32_t room, std::span<const std::uint32_t> groups,
                            std::size_t count) {
    std::uint32_t used = 0;
    std::size_t files = 0;
    for (std::size_t i = 0; files < count && room >= used + kControlDataOffset; i++) {
        const std::size_t wanted = i < groups.size() ? groups[i] : count - files;
        const std::size_t fitting = std::min<std::size_t>(
            wanted, (room - used - kControlDataOffset) / sizeof(std::int32_t));
        files += fitting;
        if (fitting < wanted)
            break;
        used += control_aligned(
            static_cast<std::uint32_t>(kControlDataOffset + wanted * sizeof(std::int32_t)));
    }
    return std::min(files, count);
}

Returns recvmsg(Arguments a) {
    const SocketArgument socket = SKEP_TRY(socket_argument(a[0]));
    const auto flags = static_cast<std::uint32_t>(a[2]);
    MessageHeader header = SKEP_TRY(copy_in<MessageHeader>(a[1]));
    const Vector<IoSegment> segments =
        SKEP_TRY(iovec_argument(header.segments, static_cast<std::uint32_t>(header.segment_count)));
    Uio uio = Uio::user(segments.span());
    SocketAddress address;
    ControlData control;
    const std::uint32_t control_room = header.control ? header.control_size : 0;
    control.file_capacity = control_room > kControlDataOffset
                                ? (control_room - kControlDataOffset) / sizeof(std::int32_t)
                                : 0;
    Message message{.data = uio,
                    .address = header.name ? &address : nullptr,
                    .control = &control,
                    .flags = message_flags(flags)};
    const std::size_t size = SKEP_TRY(restartable(socket->receive_message(message)));
    const std::size_t fitting =
        files_with_room(control_room, control.groups.span(), control.files.size());
    const Vector<std::uint32_t> descriptors =
        SKEP_TRY(add_received_files(control, fitting, flags & kMsgCloseOnExec, message.flags));
    auto finish = [&]() -> Result<> {
        ControlWriter writer(header.control, control_room);
        SKEP_TRY(put_files(writer, descriptors.span(), control.groups.span()));
        if (control.credentials_sent && control_room)
            SKEP_TRY(put_credentials(writer, control.credentials, message.flags));
        header.control_size = writer.used();
        if (header.name)
            header.name_size =
                address.family == Family::Unspecified
                    ? 0
                    : SKEP_TRY(put_address_bounded(header.name, header.name_size, address));
        header.flags = bsd_message_flags(message.flags);
        return copy_out(a[1], header);
    };
    if (auto told = finish(); !told) {
        close_all(descriptors.span());
        return fail(told.error());
    }
    return size;
}

constexpr std::string_view kControlKinds = "control messages: descriptors, SCM_CREDS";
constexpr std::string_view kOptions = "the options in socket_arguments.cpp";

constexpr Syscall kCalls[] = {
    {27, "recvmsg", 3, recvmsg, SyscallStatus::Partial, kControlKinds},
    {28, "sendmsg", 3, sendmsg, SyscallStatus::Partial, kControlKinds},
    {29, "recvfrom", 6, recvfrom},
    {30, "accept", 3, accept},
    {31, "getpeername", 3, getpeername},
    {32, "getsockname", 3, getsockname},
    {97, "socket", 3, socket, SyscallStatus::Partial, "PF_UNIX, PF_INET, PF_INET6"},
    {98, "connect", 3, connect},
    {104, "bind", 3, bind},
    {105, "setsockopt", 5, setsockopt, SyscallStatus::Partial, kOptions},
    {106, "listen", 2, listen},
    {118, "getsockopt", 5, getsockopt, SyscallStatus::Partial, kOptions},
    {133, "sendto", 6, sendto},
    {134, "shutdown", 2, shutdown},
    {135, "socketpair", 4, socketpair},
    {538, "bindat", 4, bindat, SyscallStatus::Partial, "AT_FDCWD only"},
    {539, "connectat", 4, connectat, SyscallStatus::Partial, "AT_FDCWD only"},
    {541, "accept4", 4, accept4},
};

}  // namespace

const std::span<const Syscall> socket_calls = kCalls;

}  // namespace skep::kernel::freebsd_abi
