// Linux calls on sockets of every family.
#include <kernel/abi/linux/arguments.hpp>
#include <kernel/abi/linux/socket_arguments.hpp>
#include <kernel/abi/sockets.hpp>
#include <kernel/abi/syscall.hpp>
#include <kernel/ipc/unix_socket.hpp>

#include <algorithm>
#include <array>
#include <limits>

namespace skep::kernel::linux_abi {

namespace {

using Value = Result<std::uint64_t>;

constexpr std::uint64_t kTypeMask = 0xf;

Value socket(const std::uint64_t* a) {
    if (a[1] & ~(kTypeMask | kOCloseOnExec | kONonblock))
        return fail(Errno::Inval);
    const Family family = SKEP_TRY(family_argument(a[0]));
    const SocketType type = SKEP_TRY(type_argument(a[1] & kTypeMask));
    Ref<Socket> made = SKEP_TRY(create_socket(family, type, static_cast<std::uint32_t>(a[2]),
                                              a[1] & kONonblock ? kOpenNonblock : 0));
    return add_socket(std::move(made), a[1] & kOCloseOnExec);
}

Value socketpair(const std::uint64_t* a) {
    if (a[1] & ~(kTypeMask | kOCloseOnExec | kONonblock))
        return fail(Errno::Inval);
    const Family family = SKEP_TRY(family_argument(a[0]));
    const SocketType type = SKEP_TRY(type_argument(a[1] & kTypeMask));
    std::uint32_t descriptors[2];
    SKEP_TRY(open_socket_pair(descriptors, family, type, a[1] & kONonblock ? kOpenNonblock : 0,
                              a[1] & kOCloseOnExec));
    if (auto told = copy_out(a[3], descriptors); !told) {
        close_all(descriptors);
        return fail(told.error());
    }
    return 0;
}

Value bind(const std::uint64_t* a) {
    const SocketArgument socket = SKEP_TRY(socket_argument(a[0]));
    SKEP_TRY(socket->bind(SKEP_TRY(address_argument(a[1], static_cast<std::uint32_t>(a[2])))));
    return 0;
}

Value listen(const std::uint64_t* a) {
    const SocketArgument socket = SKEP_TRY(socket_argument(a[0]));
    SKEP_TRY(socket->listen(static_cast<int>(a[1])));
    return 0;
}

Value do_accept(std::uint64_t descriptor, UserAddr address, UserAddr size_address,
                std::uint64_t flags) {
    if (flags & ~std::uint64_t{kOCloseOnExec | kONonblock})
        return fail(Errno::Inval);
    const SocketArgument socket = SKEP_TRY(socket_argument(descriptor));
    SocketAddress peer;
    Ref<Socket> accepted = SKEP_TRY(restartable(
        socket->accept(address ? &peer : nullptr, flags & kONonblock ? kOpenNonblock : 0)));
    if (auto told = put_address(address, size_address, peer); !told) {
        accepted->on_last_close();
        return fail(told.error());
    }
    return add_socket(std::move(accepted), flags & kOCloseOnExec);
}
Value accept(const std::uint64_t* a) {
    return do_accept(a[0], a[1], a[2], 0);
}
Value accept4(const std::uint64_t* a) {
    return do_accept(a[0], a[1], a[2], a[3]);
}

Value connect(const std::uint64_t* a) {
    const SocketArgument socket = SKEP_TRY(socket_argument(a[0]));
    // An interrupted connection goes on by itself: no restart.
    SKEP_TRY(socket->connect(SKEP_TRY(address_argument(a[1], static_cast<std::uint32_t>(a[2])))));
    return 0;
}

Value shutdown(const std::uint64_t* a) {
    if (a[1] > 2)
        return fail(Errno::Inval);
    const SocketArgument socket = SKEP_TRY(socket_argument(a[0]));
    SKEP_TRY(socket->shutdown(static_cast<ShutdownHow>(a[1])));
    return 0;
}

Value getsockname(const std::uint64_t* a) {
    const SocketArgument socket = SKEP_TRY(socket_argument(a[0]));
    SKEP_TRY(put_address(a[1], a[2], SKEP_TRY(socket->local_address())));
    return 0;
}
Value getpeername(const std::uint64_t* a) {
    const SocketArgument socket = SKEP_TRY(socket_argument(a[0]));
    SKEP_TRY(put_address(a[1], a[2], SKEP_TRY(socket->peer_address())));
    return 0;
}

Value setsockopt(const std::uint64_t* a) {
    const SocketArgument socket = SKEP_TRY(socket_argument(a[0]));
    if (static_cast<std::int32_t>(a[4]) < 0)
        return fail(Errno::Inval);
    SKEP_TRY(set_socket_option(*socket, static_cast<std::int32_t>(a[1]),
                               static_cast<std::int32_t>(a[2]), a[3],
                               static_cast<std::uint32_t>(a[4])));
    return 0;
}
Value getsockopt(const std::uint64_t* a) {
    const SocketArgument socket = SKEP_TRY(socket_argument(a[0]));
    SKEP_TRY(get_socket_option(*socket, static_cast<std::int32_t>(a[1]),
                               static_cast<std::int32_t>(a[2]), a[3], a[4]));
    return 0;
}

// --- messages ---

Value sendto(const std::uint64_t* a) {
    const SocketArgument socket = SKEP_TRY(socket_argument(a[0]));
    const IoSegment segment{a[1], std::min<std::size_t>(a[2], kIoMax)};
    Uio uio = Uio::user({&segment, 1});
    SocketAddress address;
    if (a[4])
        address = SKEP_TRY(address_argument(a[4], static_cast<std::uint32_t>(a[5])));
    Message message{.data = uio,
                    .address = a[4] ? &address : nullptr,
                    .flags = message_flags(static_cast<std::uint32_t>(a[3]))};
    return send_message(*socket, message);
}

Value recvfrom(const std::uint64_t* a) {
    const SocketArgument socket = SKEP_TRY(socket_argument(a[0]));
    const IoSegment segment{a[1], std::min<std::size_t>(a[2], kIoMax)};
    Uio uio = Uio::user({&segment, 1});
    SocketAddress address;
    Message message{.data = uio,
                    .address = a[4] ? &address : nullptr,
                    .flags = message_flags(static_cast<std::uint32_t>(a[3]))};
    const std::size_t size = SKEP_TRY(restartable(socket->receive_message(message)));
    SKEP_TRY(put_address(a[4], a[5], address));
    return size;
}

constexpr std::size_t control_aligned(std::size_t size) {
    return (size + 7) & ~std::size_t{7};
}

// The control messages of a sendmsg.
Result<> control_argument(UserAddr from, std::uint64_t size, ControlData& control) {
    constexpr std::uint64_t kControlMax = 20480;  // sysctl net.core.optmem_max
    if (size > kControlMax)
        return fail(Errno::NoBufs);
    for (std::uint64_t at = 0; at + sizeof(ControlHeader) <= size;) {
        const auto header = SKEP_TRY(copy_in<ControlHeader>(from + at));
        if (header.size < sizeof header || header.size > size - at)
            return fail(Errno::Inval);
        const UserAddr data = from + at + sizeof header;
        const std::size_t length = header.size - sizeof header;
        if (header.level == kSolSocket && header.type == kScmRights) {
            for (std::size_t i = 0; i + sizeof(std::int32_t) <= length; i += sizeof(std::int32_t)) {
                if (control.files.size() >= UnixSocket::kFilesMax)
                    return fail(Errno::Inval);
                SKEP_TRY(control.files.push_back(
                    SKEP_TRY(file_argument(SKEP_TRY(copy_in<std::uint32_t>(data + i))))));
            }
        } else if (header.level == kSolSocket && header.type == kScmCredentials) {
            if (length < sizeof(Ucred))
                return fail(Errno::Inval);
            const auto claimed = SKEP_TRY(copy_in<Ucred>(data));
            control.has_credentials = true;
            control.credentials = {claimed.process, claimed.user, claimed.group};
        } else if (header.level == kSolSocket) {
            return fail(Errno::Inval);
        }
        at += control_aligned(header.size);
    }
    return {};
}

Value send_one(Socket& socket, const MessageHeader& header, std::uint32_t flags) {
    const Vector<IoSegment> segments =
        SKEP_TRY(iovec_argument(header.segments, header.segment_count));
    Uio uio = Uio::user(segments.span());
    SocketAddress address;
    if (header.name && header.name_size)
        address = SKEP_TRY(address_argument(header.name, header.name_size));
    ControlData control;
    if (header.control && header.control_size)
        SKEP_TRY(control_argument(header.control, header.control_size, control));
    Message message{.data = uio,
                    .address = header.name && header.name_size ? &address : nullptr,
                    .control = header.control && header.control_size ? &control : nullptr,
                    .flags = message_flags(flags)};
    return send_message(socket, message);
}

Value sendmsg(const std::uint64_t* a) {
    const SocketArgument socket = SKEP_TRY(socket_argument(a[0]));
    return send_one(*socket, SKEP_TRY(copy_in<MessageHeader>(a[1])),
                    static_cast<std::uint32_t>(a[2]));
}

class ControlWriter {
  public:
    ControlWriter(UserAddr to, std::uint64_t capacity) : to_(to), capacity_(capacity) {}
    bool fits(std::size_t size) const { return capacity_ - used_ >= sizeof(ControlHeader) + size; }
    // How many descriptors can be told of.
    std::size_t room_for_files() const {
        return fits(sizeof(std::int32_t))
                   ? (capacity_ - used_ - sizeof(ControlHeader)) / sizeof(std::int32_t)
                   : 0;
    }
    Result<> add(std::int32_t type, const void* data, std::size_t size) {
        SKEP_TRY(
            copy_out(to_ + used_, ControlHeader{sizeof(ControlHeader) + size, kSolSocket, type}));
        SKEP_TRY(copy_out(to_ + used_ + sizeof(ControlHeader), data, size));
        used_ += std::min<std::uint64_t>(control_aligned(sizeof(ControlHeader) + size),
                                         capacity_ - used_);
        return {};
    }
    std::uint64_t used() const { return used_; }

  private:
    UserAddr to_;
    std::uint64_t capacity_, used_ = 0;
};

// Gives the received files descriptors and tells of them. What cannot be told is closed.
Result<> put_control(Socket& socket, ControlData& control, std::uint32_t call_flags,
                     ControlWriter& writer, MessageFlags& flags) {
    auto wants_credentials = socket.option(SocketOption::PassCredentials);
    if (control.has_credentials && wants_credentials && *wants_credentials) {
        const Ucred shown{control.credentials.process, control.credentials.user,
                          control.credentials.group};
        if (writer.fits(sizeof shown))
            SKEP_TRY(writer.add(kScmCredentials, &shown, sizeof shown));
        else
            flags |= kMessageControlTruncated;
    }
    if (control.files.empty())
        return {};
    const Vector<std::uint32_t> descriptors = SKEP_TRY(
        add_received_files(control, writer.room_for_files(), call_flags & kMsgCloseOnExec, flags));
    if (descriptors.empty())
        return {};
    const Result<> told =
        writer.add(kScmRights, descriptors.data(), descriptors.size() * sizeof(std::uint32_t));
    if (!told)
        close_all(descriptors.span());
    return told;
}

Value receive_one(Socket& socket, UserAddr header_address, std::uint32_t flags) {
    MessageHeader header = SKEP_TRY(copy_in<MessageHeader>(header_address));
    const Vector<IoSegment> segments =
        SKEP_TRY(iovec_argument(header.segments, header.segment_count));
    Uio uio = Uio::user(segments.span());
    SocketAddress address;
    ControlWriter writer(header.control, header.control ? header.control_size : 0);
    ControlData control;
    control.file_capacity = writer.room_for_files();
    Message message{.data = uio,
                    .address = header.name ? &address : nullptr,
                    .control = &control,
                    .flags = message_flags(flags)};
    const std::size_t size = SKEP_TRY(restartable(socket.receive_message(message)));
    SKEP_TRY(put_control(socket, control, flags, writer, message.flags));
    if (header.name)
        header.name_size =
            address.family == Family::Unspecified
                ? 0
                : SKEP_TRY(put_address_bounded(header.name, header.name_size, address));
    header.control_size = writer.used();
    header.flags = linux_message_flags(message.flags) | (flags & kMsgCloseOnExec);
    SKEP_TRY(copy_out(header_address, header));
    return size;
}

Value recvmsg(const std::uint64_t* a) {
    const SocketArgument socket = SKEP_TRY(socket_argument(a[0]));
    return receive_one(*socket, a[1], static_cast<std::uint32_t>(a[2]));
}

constexpr std::uint64_t kMultiMax = 1024;

Value sendmmsg(const std::uint64_t* a) {
    const SocketArgument socket = SKEP_TRY(socket_argument(a[0]));
    const std::uint64_t count =
        std::min(static_cast<std::uint32_t>(a[2]) + std::uint64_t{0}, kMultiMax);
    std::uint64_t done = 0;
    for (; done < count; done++) {
        const UserAddr at = a[1] + done * sizeof(MultiMessageHeader);
        auto header = copy_in<MessageHeader>(at);
        auto sent = header ? send_one(*socket, *header, static_cast<std::uint32_t>(a[3]))
                           : Value(fail(header.error()));
        if (!sent)
            return done ? Value(done) : sent;
        SKEP_TRY(copy_out(at + sizeof(MessageHeader), static_cast<std::uint32_t>(*sent)));
    }
    return done;
}

Value recvmmsg(const std::uint64_t* a) {
    const SocketArgument socket = SKEP_TRY(socket_argument(a[0]));
    if (a[4])
        return fail(Errno::OpNotSupp);  // a time limit
    const std::uint64_t count =
        std::min(static_cast<std::uint32_t>(a[2]) + std::uint64_t{0}, kMultiMax);
    auto flags = static_cast<std::uint32_t>(a[3]);
    std::uint64_t done = 0;
    for (; done < count; done++) {
        const UserAddr at = a[1] + done * sizeof(MultiMessageHeader);
        auto received = receive_one(*socket, at, flags & ~kMsgWaitForOne);
        if (!received)
            return done ? Value(done) : received;
        SKEP_TRY(copy_out(at + sizeof(MessageHeader), static_cast<std::uint32_t>(*received)));
        if (flags & kMsgWaitForOne)
            flags |= kMsgDontWait;
    }
    return done;
}

constexpr Syscall kTable[] = {
    {41, "socket", 3, socket, SyscallStatus::Partial, "AF_UNIX, AF_INET, AF_INET6"},
    {42, "connect", 3, connect},
    {43, "accept", 3, accept},
    {44, "sendto", 6, sendto},
    {45, "recvfrom", 6, recvfrom},
    {46, "sendmsg", 3, sendmsg},
    {47, "recvmsg", 3, recvmsg},
    {48, "shutdown", 2, shutdown},
    {49, "bind", 3, bind, SyscallStatus::Partial, "no automatic names of Unix sockets"},
    {50, "listen", 2, listen},
    {51, "getsockname", 3, getsockname},
    {52, "getpeername", 3, getpeername},
    {53, "socketpair", 4, socketpair},
    {54, "setsockopt", 5, setsockopt, SyscallStatus::Partial,
     "the options in socket_arguments.cpp"},
    {55, "getsockopt", 5, getsockopt, SyscallStatus::Partial,
     "the options in socket_arguments.cpp"},
    {288, "accept4", 4, accept4},
    {299, "recvmmsg", 5, recvmmsg, SyscallStatus::Partial, "no time limit"},
    {307, "sendmmsg", 4, sendmmsg},
};

}  // namespace

extern const std::span<const Syscall> socket_calls;
const std::span<const Syscall> socket_calls = kTable;

}  // namespace skep::kernel::linux_abi
