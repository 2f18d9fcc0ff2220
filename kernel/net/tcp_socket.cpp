// Life and options of a TCP socket; sending and receiving are in tcp_transfer.cpp.
#include <kernel/net/tcp_socket.hpp>

#include <kernel/net/listen_group.hpp>
#include <kernel/sched/clock.hpp>

#include <lwip/tcp.h>

#include <algorithm>

namespace skep::kernel {

namespace {

constexpr unsigned kMostBacklog = 4096;
constexpr u8_t kPollInterval = 1;  // in lwIP's half seconds

}  // namespace

ip_pcb* TcpSocket::pcb_base() {
    return reinterpret_cast<ip_pcb*>(pcb_);  // IP_PCB is the first member of every pcb
}

Result<> TcpSocket::create_pcb() {
    if (pcb_)
        return {};
    tcp_pcb* pcb = tcp_new_ip_type(ip_type());
    if (!pcb)
        return fail(Errno::NoBufs);
    adopt_pcb(pcb);
    apply_options();
    apply_tcp_options();
    return {};
}

void TcpSocket::adopt_pcb(tcp_pcb* pcb) {
    pcb_ = pcb;
    tcp_arg(pcb, this);
    tcp_recv(pcb, on_received);
    tcp_sent(pcb, on_sent);
    tcp_err(pcb, on_error);
}

void TcpSocket::release_pcb() {
    tcp_pcb* pcb = pcb_;
    pcb_ = nullptr;
    tcp_arg(pcb, nullptr);
    tcp_recv(pcb, nullptr);
    tcp_sent(pcb, nullptr);
    tcp_err(pcb, nullptr);
    tcp_poll(pcb, nullptr, 0);
}

void TcpSocket::close_pcb() {
    tcp_pcb* pcb = pcb_;
    if (!pcb)
        return;
    release_pcb();
    if (linger() == 0 || tcp_close(pcb) != ERR_OK)
        tcp_abort(pcb);
}

void TcpSocket::close() {
    List<TcpSocket, AcceptTag> unaccepted;
    {
        const StackGuard guard;
        if (group_) {
            group_->leave(*this);
            group_ = nullptr;
        }
        while (TcpSocket* socket = accepted_.pop_front())
            unaccepted.push_back(*socket);
        accepted_count_ = 0;
        close_pcb();
        if (state_ != State::Closed) {
            state_ = State::Closed;
            refresh();
        }
    }
    // Their destructors take the stack's lock.
    while (TcpSocket* socket = unaccepted.pop_front())
        Ref<TcpSocket>::adopt(socket).reset();
}

TcpSocket::~TcpSocket() {
    close();
    reading_.free_all();
    incoming_.free_all();
}

void TcpSocket::refresh(Events again) {
    set_amounts(state_ == State::Listening ? accepted_count_ : received_bytes_, send_room());
    Events now = 0;
    switch (state_) {
        case State::Idle:
            now =
                kWritable | kHangup;  // as in Linux and FreeBSD for a socket that is not connected
            break;
        case State::Listening:
            now = accepted_.empty() ? 0 : kReadable;
            break;
        case State::Connecting:
            break;
        case State::Connected:
            if (received_bytes_ > 0 || peer_finished_ || read_shut_)
                now |= kReadable;
            if (peer_finished_ || read_shut_)
                now |= kReadHangup;
            if (write_shut_ || send_room() >= kSendLowWater)
                now |= kWritable;
            if (peer_finished_ && write_shut_)
                now |= kHangup;
            break;
        case State::Closed:
            now = kReadable | kWritable | kHangup | kReadHangup;
            break;
    }
    if (has_error())
        now |= kError | kReadable | kWritable;
    set_ready(now, again);
}

Result<> TcpSocket::bind(const SocketAddress& address) {
    const StackGuard guard;
    if (state_ != State::Idle || bound())
        return fail(Errno::Inval);
    Endpoint local = SKEP_TRY(endpoint(address));
    if (!is_local_address(local.address))
        return fail(Errno::AddrNotAvail);
    if (ip_type() == IPADDR_TYPE_ANY && IP_IS_V6_VAL(local.address) &&
        ip_addr_isany_val(local.address))
        local.address = *IP_ANY_TYPE;  // takes IPv4 peers too
    if (flag(SocketOption::ReusePort) && local.port != 0 && ListenGroup::find(local)) {
        local_ = local;  // listen() joins
        return {};
    }
    SKEP_TRY(create_pcb());
    const err_t error = tcp_bind(pcb_, &local.address, local.port);
    if (error != ERR_OK) {
        close_pcb();
        return fail(to_errno(error));
    }
    local_ = {local.address, pcb_->local_port};
    return {};
}

Result<> TcpSocket::listen(int backlog) {
    const StackGuard guard;
    backlog_ = static_cast<unsigned>(std::clamp(backlog, 1, static_cast<int>(kMostBacklog)));
    if (state_ == State::Listening)
        return {};
    if (state_ != State::Idle)
        return fail(Errno::Inval);
    ListenGroup* group =
        flag(SocketOption::ReusePort) && local_.port != 0 ? ListenGroup::find(local_) : nullptr;
    if (group) {
        close_pcb();
    } else {
        SKEP_TRY(create_pcb());
        if (pcb_->local_port == 0) {
            if (ip_addr_isany_val(local_.address))
                ip_addr_set_any_val(family() == Family::Inet6, local_.address);
            if (ip_type() == IPADDR_TYPE_ANY)
                local_.address = *IP_ANY_TYPE;
            const err_t error = tcp_bind(pcb_, &local_.address, local_.port);
            if (error != ERR_OK)
                return fail(to_errno(error));
            local_.port = pcb_->local_port;
        }
        group = SKEP_TRY(ListenGroup::create(pcb_, local_, flag(SocketOption::ReusePort)));
        pcb_ = nullptr;
    }
    group->join(*this);
    group_ = group;
    state_ = State::Listening;
    refresh();
    return {};
}

Result<Ref<Socket>> TcpSocket::accept(SocketAddress* peer, std::uint32_t flags) {
    StackGuard guard;
    const Nanoseconds deadline = receive_deadline();
    for (;;) {
        if (state_ != State::Listening)
            return fail(Errno::Inval);
        if (TcpSocket* socket = accepted_.pop_front()) {
            --accepted_count_;
            refresh();
            socket->set_flags(socket->flags() | (flags & kOpenNonblock));
            if (peer)
                *peer = socket->socket_address(socket->peer_);
            return Ref<Socket>::adopt(socket);
        }
        if (nonblocking())
            return fail(Errno::Again);
        SKEP_TRY(wait(guard, deadline));
    }
}

Result<> TcpSocket::connect(const SocketAddress& address) {
    StackGuard guard;
    switch (state_) {
        case State::Connecting:
            return fail(Errno::Already);
        case State::Connected:
            return fail(Errno::IsConn);
        case State::Listening:
            return fail(Errno::OpNotSupp);
        case State::Closed:
            SKEP_TRY(take_error());
            state_ = State::Idle;
            local_ = {};
            break;
        case State::Idle:
            break;
    }
    Endpoint peer = SKEP_TRY(endpoint(address));
    if (ip_addr_isany_val(peer.address))
        ip_addr_set_loopback_val(IP_IS_V6_VAL(peer.address), peer.address);
    SKEP_TRY(create_pcb());
    const err_t error = tcp_connect(pcb_, &peer.address, peer.port, on_connected);
    if (error != ERR_OK) {
        if (local_.port == 0)
            close_pcb();
        return fail(to_errno(error));
    }
    state_ = State::Connecting;
    peer_ = peer;
    local_ = {pcb_->local_ip, pcb_->local_port};
    refresh();
    if (nonblocking())
        return fail(Errno::InProgress);
    const Nanoseconds deadline = send_deadline();
    while (state_ == State::Connecting) {
        if (const Result<> woken = wait(guard, deadline); !woken)
            return fail(woken.error() == Errno::Again ? Errno::InProgress : Errno::Intr);
    }
    if (state_ == State::Connected)
        return {};
    SKEP_TRY(take_error());
    return fail(Errno::ConnAborted);  // closed by another thread
}

Result<> TcpSocket::shutdown(ShutdownHow how) {
    const StackGuard guard;
    if (state_ != State::Connected)
        return fail(Errno::NotConn);
    if (how != ShutdownHow::Read && !write_shut_) {
        write_shut_ = true;
        if (pcb_)
            tcp_shutdown(pcb_, 0, 1);  // for want of memory lwIP sends the FIN later by itself
    }
    if (how != ShutdownHow::Write)
        read_shut_ = true;
    refresh();
    return {};
}

Result<SocketAddress> TcpSocket::local_address() {
    const StackGuard guard;
    return socket_address(local_);
}

Result<SocketAddress> TcpSocket::peer_address() {
    const StackGuard guard;
    if (state_ != State::Connected)
        return fail(Errno::NotConn);
    return socket_address(peer_);
}

void TcpSocket::inherit_options(TcpSocket& listener) {
    copy_options(listener);
    no_delay_ = listener.no_delay_;
    keep_idle_ = listener.keep_idle_;
    keep_interval_ = listener.keep_interval_;
    keep_count_ = listener.keep_count_;
    user_timeout_ms_ = listener.user_timeout_ms_;
    apply_options();
    apply_tcp_options();
}

void TcpSocket::apply_tcp_options() {
    if (!pcb_)
        return;
    if (no_delay_)
        tcp_nagle_disable(pcb_);
    else
        tcp_nagle_enable(pcb_);
    pcb_->keep_idle = static_cast<u32_t>(keep_idle_ * 1000);
    pcb_->keep_intvl = static_cast<u32_t>(keep_interval_ * 1000);
    pcb_->keep_cnt = static_cast<u32_t>(keep_count_);
    tcp_poll(pcb_, user_timeout_ms_ > 0 ? on_poll : nullptr, kPollInterval);
}

Result<> TcpSocket::set_protocol_option(SocketOption option, std::int64_t value) {
    constexpr std::int64_t kMostSeconds = 32767;
    switch (option) {
        case SocketOption::TcpNoDelay:
            no_delay_ = value != 0;
            break;
        case SocketOption::TcpCork:  // nothing is held back but by Nagle's algorithm
            return {};
        case SocketOption::TcpKeepIdle:
        case SocketOption::TcpKeepInterval:
        case SocketOption::TcpKeepCount: {
            if (value < 1 || value > kMostSeconds)
                return fail(Errno::Inval);
            auto& target = option == SocketOption::TcpKeepIdle       ? keep_idle_
                           : option == SocketOption::TcpKeepInterval ? keep_interval_
                                                                     : keep_count_;
            target = value;
            break;
        }
        case SocketOption::TcpUserTimeoutMs:
            if (value < 0)
                return fail(Errno::Inval);
            user_timeout_ms_ = value;
            break;
        default:
            return fail(Errno::NoProtoOpt);
    }
    apply_tcp_options();
    return {};
}

Result<std::int64_t> TcpSocket::protocol_option(SocketOption option) {
    switch (option) {
        case SocketOption::TcpNoDelay:
            return no_delay_ ? 1 : 0;
        case SocketOption::TcpCork:
            return 0;
        case SocketOption::TcpMaxSegment:
            return pcb_ ? tcp_mss(pcb_) : TCP_MSS;
        case SocketOption::TcpKeepIdle:
            return keep_idle_;
        case SocketOption::TcpKeepInterval:
            return keep_interval_;
        case SocketOption::TcpKeepCount:
            return keep_count_;
        case SocketOption::TcpUserTimeoutMs:
            return user_timeout_ms_;
        default:
            return fail(Errno::NoProtoOpt);
    }
}

void TcpSocket::connection_lost(Errno error) {
    state_ = State::Closed;
    if (error != Errno{})
        set_error(error);
    refresh();
}

err_t TcpSocket::on_connected(void* context, tcp_pcb* pcb, err_t) {
    auto& self = *static_cast<TcpSocket*>(context);
    self.state_ = State::Connected;
    self.local_ = {pcb->local_ip, pcb->local_port};
    self.refresh();
    return ERR_OK;
}

void TcpSocket::on_error(void* context, err_t error) {
    if (!context)
        return;
    auto& self = *static_cast<TcpSocket*>(context);
    self.pcb_ = nullptr;      // lwIP has freed it
    if (error == ERR_CLSD) {  // both directions had ended in order
        self.peer_finished_ = true;
        self.refresh();
        return;
    }
    const bool connecting = self.state_ == State::Connecting;
    self.connection_lost(error == ERR_RST ? (connecting ? Errno::ConnRefused : Errno::ConnReset)
                                          : Errno::TimedOut);
}

// The user timeout (RFC 5482): sent data was not acknowledged for too long.
err_t TcpSocket::on_poll(void* context, tcp_pcb* pcb) {
    if (!context)
        return ERR_OK;
    auto& self = *static_cast<TcpSocket*>(context);
    const bool outstanding = pcb->unacked || pcb->unsent;
    const auto limit = static_cast<Nanoseconds>(self.user_timeout_ms_) * 1'000'000;
    if (!outstanding || limit == 0 || monotonic_now() - self.last_progress_ < limit)
        return ERR_OK;
    self.release_pcb();
    tcp_abort(pcb);
    self.connection_lost(Errno::TimedOut);
    return ERR_ABRT;
}

}  // namespace skep::kernel
