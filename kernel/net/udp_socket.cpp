#include <kernel/net/udp_socket.hpp>

#include <lwip/udp.h>

#include <algorithm>
#include <new>

namespace skep::kernel {

namespace {

constexpr std::size_t kLargestDatagram = 65507;  // 65535 less the IPv4 and UDP headers
// What a datagram costs beside its bytes, so that empty ones cannot fill the memory.
constexpr std::size_t kDatagramOverhead = 256;

}  // namespace

ip_pcb* UdpSocket::pcb_base() {
    return reinterpret_cast<ip_pcb*>(pcb_);  // IP_PCB is the first member of every pcb
}

bool UdpSocket::bound() const {
    return pcb_ && pcb_->local_port != 0;
}

std::size_t UdpSocket::readable_bytes() const {
    List<Datagram>& queue = const_cast<List<Datagram>&>(received_);
    return queue.empty() ? 0 : queue.front()->data->tot_len;
}

Result<> UdpSocket::create_pcb() {
    if (closed_)
        return fail(Errno::BadF);
    if (pcb_)
        return {};
    pcb_ = udp_new_ip_type(ip_type());
    if (!pcb_)
        return fail(Errno::NoBufs);
    udp_recv(pcb_, on_received, this);
    apply_options();
    return {};
}

void UdpSocket::close() {
    const StackGuard guard;
    if (pcb_)
        udp_remove(pcb_);
    pcb_ = nullptr;
    closed_ = true;
    while (Datagram* datagram = received_.pop_front())
        drop(datagram);
    received_bytes_ = 0;
    refresh();
}

void UdpSocket::drop(Datagram* datagram) {
    pbuf_free(datagram->data);
    delete datagram;
}

void UdpSocket::refresh(Events again) {
    Events now = kWritable;
    if (!received_.empty() || read_shut_ || closed_)
        now |= kReadable;
    if (read_shut_ || closed_)
        now |= kReadHangup;
    if (closed_)
        now |= kHangup;
    if (has_error())
        now |= kError | kReadable;
    set_amounts(readable_bytes(), kLargestDatagram);
    set_ready(now, again);
}

Result<> UdpSocket::bind(const SocketAddress& address) {
    const StackGuard guard;
    if (bound())
        return fail(Errno::Inval);
    Endpoint local = SKEP_TRY(endpoint(address));
    if (!is_local_address(local.address))
        return fail(Errno::AddrNotAvail);
    if (ip_type() == IPADDR_TYPE_ANY && IP_IS_V6_VAL(local.address) &&
        ip_addr_isany_val(local.address))
        local.address = *IP_ANY_TYPE;
    SKEP_TRY(create_pcb());
    const err_t error = udp_bind(pcb_, &local.address, local.port);
    return error == ERR_OK ? Result<>{} : fail(to_errno(error));
}

Result<> UdpSocket::connect(const SocketAddress& address) {
    const StackGuard guard;
    SKEP_TRY(create_pcb());
    if (address.family == Family::Unspecified) {
        udp_disconnect(pcb_);
        connected_ = false;
        return {};
    }
    Endpoint peer = SKEP_TRY(endpoint(address));
    if (ip_addr_isany_val(peer.address))
        ip_addr_set_loopback_val(IP_IS_V6_VAL(peer.address), peer.address);
    netif* route = ip_route(&pcb_->local_ip, &peer.address);
    if (!route)
        return fail(Errno::NetUnreach);
    const err_t error = udp_connect(pcb_, &peer.address, peer.port);
    if (error != ERR_OK)
        return fail(to_errno(error));
    // Programs learn their own address towards a peer in this way.
    if (ip_addr_isany_val(pcb_->local_ip)) {
        if (const ip_addr_t* source = ip_netif_get_local_ip(route, &peer.address))
            ip_addr_copy(pcb_->local_ip, *source);
    }
    peer_ = peer;
    connected_ = true;
    return {};
}

Result<Endpoint> UdpSocket::destination(const Message& message) {
    if (!message.address) {
        if (!connected_)
            return fail(Errno::DestAddrReq);
        return peer_;
    }
    if (connected_)
        return fail(Errno::IsConn);
    Endpoint to = SKEP_TRY(endpoint(*message.address));
    if (ip_addr_isany_val(to.address))
        ip_addr_set_loopback_val(IP_IS_V6_VAL(to.address), to.address);
    return to;
}

Result<std::size_t> UdpSocket::send_message(Message& message) {
    Uio& data = message.data;
    const std::size_t size = data.remaining();
    if (size > kLargestDatagram)
        return fail(Errno::MsgSize);
    pbuf* packet = pbuf_alloc(PBUF_TRANSPORT, static_cast<u16_t>(size), PBUF_RAM);
    if (!packet)
        return fail(Errno::NoBufs);
    struct Release {
        pbuf* packet;
        ~Release() {
            const StackGuard guard;
            pbuf_free(packet);
        }
    } release{packet};

    for (std::size_t taken = 0; taken < size;) {
        const std::size_t step =
            SKEP_TRY(data.take(static_cast<std::byte*>(packet->payload) + taken, size - taken));
        if (step == 0)
            return fail(Errno::Fault);
        taken += step;
    }

    const StackGuard guard;
    SKEP_TRY(take_error());
    if (write_shut_)
        return fail(Errno::Pipe);
    SKEP_TRY(create_pcb());
    const Endpoint to = SKEP_TRY(destination(message));
    const err_t error = udp_sendto(pcb_, packet, &to.address, to.port);
    if (error == ERR_VAL)
        return fail(Errno::Acces);  // broadcast without the option
    if (error != ERR_OK && error != ERR_MEM && error != ERR_BUF)
        return fail(to_errno(error));
    return size;  // a full queue loses the datagram, as the wire may
}

Result<std::size_t> UdpSocket::receive_message(Message& message) {
    Datagram* datagram = nullptr;
    const bool peek = message.flags & kMessagePeek;
    {
        StackGuard guard;
        SKEP_TRY(create_pcb());
        const Nanoseconds deadline = receive_deadline();
        while (received_.empty()) {
            SKEP_TRY(take_error());
            if (read_shut_ || closed_)
                return 0;
            if (!wants_wait(message.flags))
                return fail(Errno::Again);
            SKEP_TRY(wait(guard, deadline));
        }
        datagram = received_.front();
        if (peek) {
            // A copy, so that user memory is touched outside the lock: the original may be taken
            // meanwhile.
            auto* copy = new (std::nothrow) Datagram;
            if (!copy)
                return fail(Errno::NoBufs);
            copy->from = datagram->from;
            copy->data = pbuf_clone(PBUF_RAW, PBUF_RAM, datagram->data);
            if (!copy->data) {
                delete copy;
                return fail(Errno::NoBufs);
            }
            datagram = copy;
        } else {
            received_.pop_front();
            received_bytes_ -= datagram->data->tot_len + kDatagramOverhead;
            refresh();
        }
    }
    struct Release {
        Datagram* datagram;
        ~Release() {
            const StackGuard guard;
            drop(datagram);
        }
    } release{datagram};

    const std::size_t size = datagram->data->tot_len;
    std::size_t moved = 0;
    for (const pbuf* part = datagram->data; part && message.data.remaining() > 0;
         part = part->next) {
        const std::size_t step = std::min<std::size_t>(part->len, message.data.remaining());
        if (step == 0)
            continue;
        const std::size_t put = SKEP_TRY(message.data.put(part->payload, step));
        moved += put;
        if (put < step)
            return fail(Errno::Fault);
    }
    if (message.address)
        *message.address = socket_address(datagram->from);
    const bool real_size = message.flags & kMessageTruncate;
    message.flags = moved < size ? kMessageTruncated : 0;
    return real_size ? size : moved;
}

Result<> UdpSocket::shutdown(ShutdownHow how) {
    const StackGuard guard;
    if (!connected_)
        return fail(Errno::NotConn);
    if (how != ShutdownHow::Write)
        read_shut_ = true;
    if (how != ShutdownHow::Read)
        write_shut_ = true;
    refresh();
    return {};
}

Result<SocketAddress> UdpSocket::local_address() {
    const StackGuard guard;
    return socket_address(pcb_ ? Endpoint{pcb_->local_ip, pcb_->local_port} : Endpoint{});
}

Result<SocketAddress> UdpSocket::peer_address() {
    const StackGuard guard;
    if (!connected_)
        return fail(Errno::NotConn);
    return socket_address(peer_);
}

void UdpSocket::on_received(void* context, udp_pcb*, pbuf* packet, const ip_addr_t* from,
                            u16_t port) {
    auto& self = *static_cast<UdpSocket*>(context);
    const std::size_t cost = packet->tot_len + kDatagramOverhead;
    auto* datagram = self.received_bytes_ + cost <= self.receive_buffer() ? new (std::nothrow)
                                                                                Datagram
                                                                          : nullptr;
    if (!datagram || self.read_shut_) {
        delete datagram;
        pbuf_free(packet);
        return;
    }
    datagram->data = packet;
    datagram->from = {*from, port};
    self.received_.push_back(*datagram);
    self.received_bytes_ += cost;
    self.refresh(kReadable);
}

}  // namespace skep::kernel
