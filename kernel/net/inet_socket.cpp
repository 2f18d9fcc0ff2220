#include <kernel/net/inet_socket.hpp>

#include <kernel/net/tcp_socket.hpp>
#include <kernel/net/udp_socket.hpp>
#include <kernel/sched/clock.hpp>
#include <kernel/vfs/ioctl.hpp>

#include <lwip/ip.h>

#include <algorithm>
#include <new>

namespace skep::kernel {

namespace {

constexpr std::uint32_t kProtocolTcp = 6, kProtocolUdp = 17;
constexpr std::int64_t kMaxBuffer = 16 * 1024 * 1024;

template <Family kFamily>
Result<Ref<Socket>> create(SocketType type, std::uint32_t protocol, std::uint32_t flags) {
    Socket* socket;
    if (type == SocketType::Stream && (protocol == 0 || protocol == kProtocolTcp))
        socket = new (std::nothrow) TcpSocket(kFamily, flags);
    else if (type == SocketType::Datagram && (protocol == 0 || protocol == kProtocolUdp))
        socket = new (std::nothrow) UdpSocket(kFamily, flags);
    else
        return fail(Errno::ProtoNoSupport);
    if (!socket)
        return fail(Errno::NoBufs);
    return Ref<Socket>::adopt(socket);
}

}  // namespace

void register_inet_sockets() {
    register_socket_family(Family::Inet, create<Family::Inet>);
    register_socket_family(Family::Inet6, create<Family::Inet6>);
}

u8_t InetSocket::ip_type() const {
    if (family() == Family::Inet)
        return IPADDR_TYPE_V4;
    return ipv6_only_ ? IPADDR_TYPE_V6 : IPADDR_TYPE_ANY;
}

void InetSocket::set_ready(Events now, Events again) {
    const Events before = ready_.exchange(now, std::memory_order_acq_rel);
    {
        const SpinGuard guard(wait_lock_);
        ++changes_;
    }
    sleepers_.wake_all();
    if (const Events fresh = (now & ~before) | (now & again))
        events().notify(fresh);
}

Result<> InetSocket::wait(StackGuard& guard, Nanoseconds deadline) {
    // Changes are made with the stack's lock held: none is missed between here and the sleep.
    std::uint32_t seen;
    {
        const SpinGuard changes(wait_lock_);
        seen = changes_;
    }
    guard.unlock();
    Result<> result;
    {
        SpinGuard changes(wait_lock_);
        while (changes_ == seen && result)
            result = sleepers_.wait(changes, Sleep::Interruptible, deadline);
    }
    guard.relock();
    if (result)
        return {};
    return fail(result.error() == Errno::TimedOut ? Errno::Again : Errno::Restart);
}

Nanoseconds InetSocket::deadline_after(Nanoseconds timeout) const {
    return timeout == 0 ? kForever : monotonic_now() + timeout;
}

Result<> InetSocket::take_error() {
    if (error_ == Errno{})
        return {};
    const Errno error = error_;
    error_ = Errno{};
    error_taken();
    return fail(error);
}

void InetSocket::set_flag(SocketOption option, bool on) {
    const std::uint32_t bit = 1u << static_cast<unsigned>(option);
    flags_ = on ? flags_ | bit : flags_ & ~bit;
}

void InetSocket::copy_options(const InetSocket& from) {
    flags_ = from.flags_;
    linger_ = from.linger_;
    send_buffer_ = from.send_buffer_;
    receive_buffer_ = from.receive_buffer_;
    send_timeout_ = from.send_timeout_;
    receive_timeout_ = from.receive_timeout_;
    time_to_live_ = from.time_to_live_;
    type_of_service_ = from.type_of_service_;
    ipv6_only_ = from.ipv6_only_;
}

void InetSocket::apply_options() {
    ip_pcb* pcb = pcb_base();
    if (!pcb)
        return;
    const u8_t on = static_cast<u8_t>(
        (flag(SocketOption::ReuseAddress) || flag(SocketOption::ReusePort) ? SOF_REUSEADDR : 0) |
        (flag(SocketOption::KeepAlive) ? SOF_KEEPALIVE : 0) |
        (flag(SocketOption::Broadcast) ? SOF_BROADCAST : 0));
    constexpr u8_t kAll = SOF_REUSEADDR | SOF_KEEPALIVE | SOF_BROADCAST;
    pcb->so_options = static_cast<u8_t>((pcb->so_options & ~kAll) | on);
    if (time_to_live_ >= 0)
        pcb->ttl = static_cast<u8_t>(time_to_live_);
    pcb->tos = static_cast<u8_t>(type_of_service_);
}

Result<> InetSocket::set_option(SocketOption option, std::int64_t value) {
    const StackGuard guard;
    switch (option) {
        case SocketOption::ReuseAddress:
        case SocketOption::ReusePort:
        case SocketOption::KeepAlive:
        case SocketOption::Broadcast:
        case SocketOption::DontRoute:
        case SocketOption::OutOfBandInline:
            set_flag(option, value != 0);
            apply_options();
            return {};
        case SocketOption::Linger:
            linger_ = value;
            return {};
        // Windows are lwIP's, of fixed size; the values are kept to be read back, that of a
        // datagram socket's receive queue is kept to.
        case SocketOption::SendBuffer:
            send_buffer_ = std::clamp<std::int64_t>(value, 4096, kMaxBuffer);
            return {};
        case SocketOption::ReceiveBuffer:
            receive_buffer_ = std::clamp<std::int64_t>(value, 4096, kMaxBuffer);
            return {};
        case SocketOption::ReceiveLowWater:
            receive_low_water_ = 1;
            return {};
        case SocketOption::SendTimeout:
            send_timeout_ = static_cast<Nanoseconds>(std::max<std::int64_t>(value, 0));
            return {};
        case SocketOption::ReceiveTimeout:
            receive_timeout_ = static_cast<Nanoseconds>(std::max<std::int64_t>(value, 0));
            return {};
        case SocketOption::IpTypeOfService:
            type_of_service_ = value & 0xff;
            apply_options();
            return {};
        case SocketOption::IpTimeToLive:
        case SocketOption::Ipv6UnicastHops:
            if (value < -1 || value > 255 || value == 0)
                return fail(Errno::Inval);
            time_to_live_ = value;
            apply_options();
            return {};
        case SocketOption::Ipv6Only:
            if (family() != Family::Inet6)
                return fail(Errno::NoProtoOpt);
            if (bound())
                return fail(Errno::Inval);
            ipv6_only_ = value != 0;
            return {};
        default:
            return set_protocol_option(option, value);
    }
}

Result<std::int64_t> InetSocket::option(SocketOption option) {
    const StackGuard guard;
    switch (option) {
        case SocketOption::ReuseAddress:
        case SocketOption::ReusePort:
        case SocketOption::KeepAlive:
        case SocketOption::Broadcast:
        case SocketOption::DontRoute:
        case SocketOption::OutOfBandInline:
            return flag(option) ? 1 : 0;
        case SocketOption::Linger:
            return linger_;
        case SocketOption::SendBuffer:
            return send_buffer_;
        case SocketOption::ReceiveBuffer:
            return receive_buffer_;
        case SocketOption::ReceiveLowWater:
            return receive_low_water_;
        case SocketOption::SendTimeout:
            return static_cast<std::int64_t>(send_timeout_);
        case SocketOption::ReceiveTimeout:
            return static_cast<std::int64_t>(receive_timeout_);
        case SocketOption::Error: {
            const Result<> error = take_error();
            return error ? 0 : static_cast<std::int64_t>(error.error());
        }
        case SocketOption::AcceptConnections:
            return listening() ? 1 : 0;
        case SocketOption::IpTypeOfService:
            return type_of_service_;
        case SocketOption::IpTimeToLive:
        case SocketOption::Ipv6UnicastHops:
            return time_to_live_ >= 0 ? time_to_live_ : TCP_TTL;
        case SocketOption::Ipv6Only:
            if (family() != Family::Inet6)
                return fail(Errno::NoProtoOpt);
            return ipv6_only_ ? 1 : 0;
        default:
            return protocol_option(option);
    }
}

Result<std::uint64_t> InetSocket::ioctl(std::uint64_t request, UserAddr argument) {
    if (request != kIoctlBytesReadable && request != kIoctlBytesWritable)
        return fail(Errno::NoTty);
    std::int32_t bytes;
    {
        const StackGuard guard;
        bytes = static_cast<std::int32_t>(request == kIoctlBytesReadable ? readable_bytes()
                                                                         : unsent_bytes());
    }
    SKEP_TRY(copy_out(argument, bytes));
    return 0;
}

}  // namespace skep::kernel
