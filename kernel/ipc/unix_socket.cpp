#include <kernel/ipc/unix_socket.hpp>

#include <kernel/ipc/unix_message.hpp>
#include <kernel/sched/clock.hpp>
#include <kernel/vfs/current.hpp>
#include <kernel/vfs/ioctl.hpp>
#include <kernel/vfs/operations.hpp>

#include <algorithm>

namespace skep::kernel {

namespace {

PeerCredentials current_credentials() {
    const Caller caller = current_caller();
    return {current_process_id(), caller.user, caller.group};
}

bool is_abstract(const SocketAddress& address) {
    return address.size && address.data[0] == 0;
}

bool same(const SocketAddress& a, const SocketAddress& b) {
    return a.size == b.size && std::equal(a.data.begin(), a.data.begin() + a.size, b.data.begin());
}

std::string_view path_in(const SocketAddress& address) {
    const std::string_view all(reinterpret_cast<const char*>(address.data.data()), address.size);
    return all.substr(0, all.find('\0'));
}

}  // namespace

List<UnixSocket, AllUnixTag>& all_unix_sockets() {
    static List<UnixSocket, AllUnixTag> all;
    return all;
}

void init_unix_sockets() {
    register_socket_family(Family::Unix, UnixSocket::create);
}

UnixSocket::UnixSocket(SocketType type, std::uint32_t flags)
    : Socket(Family::Unix, type, 0, flags) {
    own_credentials_ = current_credentials();
    SpinGuard guard(unix_lock);
    all_unix_sockets().push_back(*this);
}

UnixSocket::~UnixSocket() {
    on_last_close();  // one that never had a descriptor
    SpinGuard guard(unix_lock);
    List<UnixSocket, AllUnixTag>::remove(*this);
}

Result<Ref<Socket>> UnixSocket::create(SocketType type, std::uint32_t protocol,
                                       std::uint32_t flags) {
    if (protocol > 1)
        return fail(Errno::ProtoNoSupport);
    if (type != SocketType::Stream && type != SocketType::Datagram && type != SocketType::SeqPacket)
        return fail(Errno::SocktNoSupport);
    return make_ref<UnixSocket>(type, flags);
}

void UnixSocket::join(UnixSocket& a, UnixSocket& b) {
    a.peer_ = Ref<UnixSocket>(&b);
    b.peer_ = Ref<UnixSocket>(&a);
    a.was_connected_ = b.was_connected_ = true;
    a.peer_credentials_ = b.own_credentials_;
    b.peer_credentials_ = a.own_credentials_;
}

Result<std::pair<Ref<Socket>, Ref<Socket>>> UnixSocket::create_pair(SocketType type,
                                                                    std::uint32_t flags) {
    Ref<Socket> a = SKEP_TRY(create(type, 0, flags)), b = SKEP_TRY(create(type, 0, flags));
    SpinGuard guard(unix_lock);
    join(static_cast<UnixSocket&>(*a), static_cast<UnixSocket&>(*b));
    guard.unlock();
    return std::pair{std::move(a), std::move(b)};
}

// --- names ---

Result<> UnixSocket::bind(const SocketAddress& address) {
    if (address.family != Family::Unix || address.size == 0)
        return fail(Errno::Inval);  // no automatic names
    MutexGuard order(bind_lock_);
    {
        SpinGuard guard(unix_lock);
        if (address_.size)
            return fail(Errno::Inval);
        if (is_abstract(address)) {
            for (UnixSocket& other : all_unix_sockets())
                if (!other.closed_ && same(other.address_, address))
                    return fail(Errno::AddrInUse);
            address_ = address;
            return {};
        }
    }
    const Actor actor{current_fs(), current_caller()};
    const Ref<Vnode> start = current_fs().working_directory();
    auto made = create_node(actor, {start, path_in(address)},
                            {.type = VnodeType::Socket, .permissions = 0777});
    if (!made)
        return fail(made.error() == Errno::Exist ? Errno::AddrInUse : made.error());
    bound_ = std::move(*made);
    bound_->attach(Ref<RefCounted>(this));
    SpinGuard guard(unix_lock);
    address_ = address;
    return {};
}

Result<Ref<UnixSocket>> UnixSocket::find(const SocketAddress& address) {
    if (address.family != Family::Unix || address.size == 0)
        return fail(Errno::Inval);
    if (is_abstract(address)) {
        SpinGuard guard(unix_lock);
        for (UnixSocket& socket : all_unix_sockets())
            if (!socket.closed_ && same(socket.address_, address))
                return Ref<UnixSocket>(&socket);
        return fail(Errno::ConnRefused);
    }
    const Actor actor{current_fs(), current_caller()};
    const Ref<Vnode> start = current_fs().working_directory();
    Ref<Vnode> vnode = SKEP_TRY(find_vnode(actor, {start, path_in(address)}, true));
    if (vnode->type() != VnodeType::Socket)
        return fail(Errno::ConnRefused);
    FileStat stat;
    SKEP_TRY(vnode->stat(stat));
    SKEP_TRY(check_access(stat, actor.caller, kAccessWrite));
    Ref<RefCounted> attached = vnode->attachment();
    if (!attached)
        return fail(Errno::ConnRefused);  // its socket is gone
    return Ref<UnixSocket>(
        static_cast<UnixSocket*>(attached.get()));  // nothing else is attached to such a vnode
}

Result<SocketAddress> UnixSocket::local_address() {
    SpinGuard guard(unix_lock);
    SocketAddress address = address_;
    address.family = Family::Unix;
    return address;
}

Result<SocketAddress> UnixSocket::peer_address() {
    SpinGuard guard(unix_lock);
    if (!peer_)
        return fail(Errno::NotConn);
    SocketAddress address = peer_->address_;
    address.family = Family::Unix;
    return address;
}

Result<PeerCredentials> UnixSocket::peer_credentials() {
    SpinGuard guard(unix_lock);
    return was_connected_ ? peer_credentials_ : PeerCredentials{0, ~0u, ~0u};
}

// --- connections ---

Nanoseconds UnixSocket::deadline(std::int64_t timeout) const {
    return timeout ? monotonic_now() + static_cast<Nanoseconds>(timeout) : kForever;
}

Result<> UnixSocket::listen(int backlog) {
    constexpr int kBacklogMax = 4096;
    if (!connection_oriented())
        return fail(Errno::OpNotSupp);
    SpinGuard guard(unix_lock);
    if (!address_.size || was_connected_)
        return fail(Errno::Inval);
    listening_ = true;
    backlog_ = static_cast<std::uint32_t>(std::clamp(backlog, 1, kBacklogMax));
    own_credentials_ = current_credentials();
    return {};
}

Result<> UnixSocket::connect(const SocketAddress& address) {
    if (!connection_oriented() && address.family == Family::Unspecified) {  // dissolve
        SpinGuard guard(unix_lock);
        Ref<UnixSocket> old = std::move(peer_);
        was_connected_ = false;
        guard.unlock();
        return {};
    }
    Ref<UnixSocket> target = SKEP_TRY(find(address));
    if (target->type() != type())
        return fail(Errno::ProtoType);
    if (!connection_oriented()) {
        SpinGuard guard(unix_lock);
        if (target->closed_)
            return fail(Errno::ConnRefused);
        Ref<UnixSocket> old = std::exchange(peer_, target);
        guard.unlock();
        return {};
    }
    Ref<UnixSocket> served = SKEP_TRY(make_ref<UnixSocket>(type(), 0));
    const Nanoseconds until = deadline(send_timeout_);
    {
        SpinGuard guard(unix_lock);
        for (;;) {
            if (peer_ || was_connected_)
                return fail(Errno::IsConn);
            if (listening_)
                return fail(Errno::Inval);
            if (!target->listening_ || target->closed_)
                return fail(Errno::ConnRefused);
            if (target->pending_count_ <= target->backlog_)
                break;
            if (nonblocking())
                return fail(Errno::Again);
            if (auto woken = target->space_.wait(guard, Sleep::Interruptible, until); !woken)
                return fail(woken.error() == Errno::TimedOut ? Errno::Again : woken.error());
        }
        own_credentials_ = current_credentials();
        served->own_credentials_ = target->own_credentials_;
        served->address_ = target->address_;
        join(*this, *served);
        target->pending_.push_back(*served.leak());
        target->pending_count_++;
    }
    target->acceptors_.wake_one();
    target->events().notify(kReadable);
    events().notify(kWritable);
    return {};
}

Result<Ref<Socket>> UnixSocket::accept(SocketAddress* peer, std::uint32_t flags) {
    const Nanoseconds until = deadline(receive_timeout_);
    Ref<UnixSocket> accepted;
    {
        SpinGuard guard(unix_lock);
        for (;;) {
            if (!listening_)
                return fail(connection_oriented() ? Errno::Inval : Errno::OpNotSupp);
            if (UnixSocket* first = pending_.pop_front()) {
                accepted = Ref<UnixSocket>::adopt(first);
                pending_count_--;
                break;
            }
            if (read_shut_)
                return fail(Errno::Inval);
            if (nonblocking())
                return fail(Errno::Again);
            if (auto woken = acceptors_.wait(guard, Sleep::Interruptible, until); !woken)
                return fail(woken.error() == Errno::TimedOut ? Errno::Again : woken.error());
        }
    }
    space_.wake_all();
    accepted->set_flags(accepted->flags() | flags);
    if (peer) {
        auto address = accepted->peer_address();
        *peer = address ? *address : SocketAddress{.family = Family::Unix};
    }
    return Ref<Socket>(std::move(accepted));
}

void UnixSocket::on_last_close() {
    List<UnixMessage> unread;
    List<UnixSocket, PendingTag> refused;
    Ref<UnixSocket> peer;
    bool held_by_peer = false;
    {
        MutexGuard order(receive_order_);  // nobody copies from a message that goes away here
        SpinGuard guard(unix_lock);
        if (closed_)
            return;
        closed_ = true;
        listening_ = false;
        while (UnixMessage* message = queue_.pop_front())
            unread.push_back(*message);
        queued_bytes_ = 0;
        while (UnixSocket* pending = pending_.pop_front())
            refused.push_back(*pending);
        pending_count_ = 0;
        peer = std::move(peer_);
        // A connected peer refers to this socket in turn, but a datagram socket's destination need
        // not.
        if (peer && peer->peer_.get() == this && peer->was_connected_) {
            Ref<UnixSocket> self = std::move(peer->peer_);
            self.leak();  // given back at the end, outside the lock
            held_by_peer = true;
        }
    }
    readers_.wake_all();
    space_.wake_all();
    acceptors_.wake_all();
    if (peer) {
        peer->readers_.wake_all();
        peer->space_.wake_all();
        peer->events().notify(kReadable | kWritable | kHangup | kReadHangup);
    }
    while (UnixMessage* message = unread.pop_front())
        delete message;
    while (UnixSocket* pending = refused.pop_front()) {
        auto reference = Ref<UnixSocket>::adopt(pending);
        reference->on_last_close();
    }
    if (bound_) {
        bound_->detach(*this);
        bound_.reset();
    }
    if (held_by_peer)
        auto last = Ref<UnixSocket>::adopt(this);
}

void UnixSocket::on_descriptor_removed() {
    if (unix_sockets_in_flight.load())
        collect_unix_garbage();
}

Result<> UnixSocket::shutdown(ShutdownHow how) {
    const bool reading = how != ShutdownHow::Write, writing = how != ShutdownHow::Read;
    Ref<UnixSocket> peer;
    {
        SpinGuard guard(unix_lock);
        if (!peer_ && !was_connected_ && !listening_)
            return fail(Errno::NotConn);
        read_shut_ |= reading;
        write_shut_ |= writing;
        peer = peer_;
        if (peer && connection_oriented()) {
            peer->read_shut_ |= writing;
            peer->write_shut_ |= reading;
        }
    }
    for (UnixSocket* side : {this, peer.get()})
        if (side) {
            side->readers_.wake_all();
            side->space_.wake_all();
            side->acceptors_.wake_all();
            side->events().notify(kReadable | kWritable | kHangup | kReadHangup);
        }
    return {};
}

// --- options, state ---

Result<> UnixSocket::set_option(SocketOption option, std::int64_t value) {
    SpinGuard guard(unix_lock);
    switch (option) {
        case SocketOption::PassCredentials:
            pass_credentials_ = value;
            return {};
        case SocketOption::SendTimeout:
            send_timeout_ = value;
            return {};
        case SocketOption::ReceiveTimeout:
            receive_timeout_ = value;
            return {};
        // The buffer is what it is; these are hints.
        case SocketOption::SendBuffer:
        case SocketOption::ReceiveBuffer:
        case SocketOption::ReuseAddress:
        case SocketOption::ReusePort:
        case SocketOption::KeepAlive:
        case SocketOption::Broadcast:
        case SocketOption::Linger:
            return {};
        default:
            return fail(Errno::NoProtoOpt);
    }
}

Result<std::int64_t> UnixSocket::option(SocketOption option) {
    SpinGuard guard(unix_lock);
    switch (option) {
        case SocketOption::PassCredentials:
            return pass_credentials_;
        case SocketOption::SendTimeout:
            return send_timeout_;
        case SocketOption::ReceiveTimeout:
            return receive_timeout_;
        case SocketOption::SendBuffer:
        case SocketOption::ReceiveBuffer:
            return kBuffer;
        case SocketOption::AcceptConnections:
            return listening_;
        case SocketOption::Error:
        case SocketOption::ReuseAddress:
        case SocketOption::ReusePort:
        case SocketOption::KeepAlive:
        case SocketOption::Broadcast:
            return 0;
        case SocketOption::Linger:
            return -1;
        case SocketOption::ReceiveLowWater:
            return 1;
        default:
            return fail(Errno::NoProtoOpt);
    }
}

Result<std::uint64_t> UnixSocket::ioctl(std::uint64_t request, UserAddr argument) {
    if (request != kIoctlBytesReadable)
        return fail(Errno::NoTty);
    SKEP_TRY(copy_out(argument, static_cast<int>(amount(kReadable))));
    return 0;
}

std::uint64_t UnixSocket::amount(Events which) {
    SpinGuard guard(unix_lock);
    if (which & kReadable) {
        if (listening_)
            return pending_count_;
        if (type() == SocketType::Stream)
            return queued_bytes_;
        UnixMessage* first = queue_.front();
        return first ? first->bytes.size() : 0;
    }
    return peer_ && peer_->queued_bytes_ < kBuffer ? kBuffer - peer_->queued_bytes_ : 0;
}

Events UnixSocket::ready(Events interest) {
    SpinGuard guard(unix_lock);
    Events events = 0;
    if (listening_)
        return pending_.empty() ? 0 : interest & kReadable;
    const bool gone = connection_oriented() && peer_gone();
    if (!queue_.empty() || read_shut_ || gone)
        events |= kReadable;
    if (read_shut_ || gone)
        events |= kReadHangup;
    if (gone || (read_shut_ && write_shut_) || (connection_oriented() && !was_connected_))
        events |= kHangup;
    if (!connection_oriented())
        events |= !peer_ || peer_->queued_bytes_ < kBuffer ? kWritable : 0;
    else if (gone || write_shut_ || !was_connected_ || (peer_ && peer_->queued_bytes_ < kBuffer))
        events |= kWritable;
    return events & (interest | kHangup | kError);
}

}  // namespace skep::kernel
