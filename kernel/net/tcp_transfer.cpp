// Sending and receiving on a TCP socket.
#include <kernel/net/tcp_socket.hpp>
#include <kernel/sched/clock.hpp>

#include <lwip/tcp.h>

#include <algorithm>
#include <memory>
#include <new>

namespace skep::kernel {

namespace {

constexpr std::size_t kPiece = 64 * 1024;        // of user memory copied at a time
constexpr std::size_t kSmallPiece = 1024;        // on the stack
constexpr std::size_t kLargestCall = 32 * 1024;  // lwIP's lengths have 16 bits

}  // namespace

void PacketQueue::append(pbuf* chain) {
    if (!chain)
        return;
    (tail ? tail->next : head) = chain;
    tail = chain;
    while (tail->next)
        tail = tail->next;
}

void PacketQueue::append(PacketQueue& other) {
    append(other.head);
    other.head = other.tail = nullptr;
}

void PacketQueue::free_all() {
    while (pbuf* packet = head) {
        head = packet->next;
        packet->next = nullptr;
        packet->tot_len = packet->len;
        pbuf_free(packet);
    }
    tail = nullptr;
}

std::size_t TcpSocket::send_room() const {
    return pcb_ && pcb_->snd_queuelen < TCP_SND_QUEUELEN - kPiece / TCP_MSS * 2 ? tcp_sndbuf(pcb_)
                                                                                : 0;
}

std::size_t TcpSocket::unsent_bytes() const {
    return pcb_ ? TCP_SND_BUF - tcp_sndbuf(pcb_) : 0;
}

Result<std::size_t> TcpSocket::send_piece(std::span<const std::byte> piece) {
    if (!pcb_->unacked && !pcb_->unsent)
        last_progress_ = monotonic_now();
    std::size_t sent = 0;
    while (sent < piece.size()) {
        const std::size_t size = std::min({piece.size() - sent, send_room(), kLargestCall});
        if (size == 0)
            break;
        const err_t error =
            tcp_write(pcb_, piece.data() + sent, static_cast<u16_t>(size), TCP_WRITE_FLAG_COPY);
        if (error == ERR_MEM && (sent > 0 || pcb_->unacked))
            break;  // an acknowledgement gives room
        if (error != ERR_OK)
            return fail(to_errno(error));
        sent += size;
    }
    tcp_output(pcb_);
    return sent;
}

Result<std::size_t> TcpSocket::send_message(Message& message) {
    if (message.flags & kMessageOutOfBand)
        return fail(Errno::OpNotSupp);
    Uio& data = message.data;
    std::byte small[kSmallPiece];
    std::unique_ptr<std::byte[]> large;
    std::span<std::byte> buffer(small);
    if (data.remaining() > kSmallPiece) {
        const std::size_t size = std::min(data.remaining(), kPiece);
        large.reset(new (std::nothrow) std::byte[size]);
        if (large)
            buffer = {large.get(), size};
    }

    std::size_t sent = 0;
    std::span<std::byte> piece;  // taken from the user, not sent yet
    StackGuard guard;
    const Nanoseconds deadline = send_deadline();
    while (data.remaining() > 0 || !piece.empty()) {
        if (has_error() && sent == 0)
            SKEP_TRY(take_error());
        if (state_ == State::Idle || state_ == State::Listening)
            return fail(Errno::NotConn);
        if (state_ == State::Closed || write_shut_ || (state_ == State::Connected && !pcb_))
            return sent > 0 ? Result<std::size_t>(sent) : fail(Errno::Pipe);
        const std::size_t room = state_ == State::Connected ? send_room() : 0;
        if (room == 0) {
            send_blocked_ = true;
            refresh();
            if (!wants_wait(message.flags))
                return sent > 0 ? Result<std::size_t>(sent) : fail(Errno::Again);
            if (const Result<> woken = wait(guard, deadline); !woken)
                return sent > 0 ? Result<std::size_t>(sent) : fail(woken.error());
            continue;
        }
        if (piece.empty()) {
            guard.unlock();
            const auto taken =
                data.take(buffer.data(), std::min({buffer.size(), data.remaining(), room}));
            guard.relock();
            if (!taken)
                return sent > 0 ? Result<std::size_t>(sent) : taken;
            piece = buffer.first(*taken);
            continue;  // much may have changed meanwhile
        }
        const auto accepted = send_piece(piece);
        if (!accepted)
            return sent > 0 ? Result<std::size_t>(sent) : accepted;
        sent += *accepted;
        piece = piece.subspan(*accepted);
        if (send_room() < kSendLowWater)
            refresh();
    }
    return sent;
}

Result<std::size_t> TcpSocket::receive_message(Message& message) {
    if (message.flags & kMessageOutOfBand)
        return fail(Errno::Inval);
    const bool peek = message.flags & kMessagePeek;
    const bool all = (message.flags & kMessageWaitAll) && !peek && wants_wait(message.flags);
    const Nanoseconds deadline = receive_deadline();
    Uio& data = message.data;
    std::size_t done = 0;
    if (data.remaining() == 0)
        return 0;
    for (;;) {
        const Result<std::size_t> moved = copy_received(data, peek);
        if (!moved)
            return done > 0 ? Result<std::size_t>(done) : moved;
        done += *moved;
        if (data.remaining() == 0 || (done > 0 && !all))
            return done;

        StackGuard guard;
        if (received_bytes_ > 0)
            continue;
        if (done == 0)
            SKEP_TRY(take_error());
        if (state_ == State::Idle || state_ == State::Listening)
            return fail(Errno::NotConn);
        if (has_error() || peer_finished_ || read_shut_ || state_ == State::Closed)
            return done;
        if (!wants_wait(message.flags))
            return done > 0 ? Result<std::size_t>(done) : fail(Errno::Again);
        if (const Result<> woken = wait(guard, deadline); !woken)
            return done > 0 ? Result<std::size_t>(done) : fail(woken.error());
    }
}

Result<std::size_t> TcpSocket::copy_received(Uio& data, bool peek) {
    const MutexGuard reader(read_mutex_);
    {
        const StackGuard guard;
        reading_.append(incoming_);
    }
    PacketQueue spent;
    std::size_t moved = 0;
    std::size_t offset = reading_offset_;
    Result<std::size_t> result = 0;
    pbuf* packet = reading_.head;
    while (packet && data.remaining() > 0) {
        const std::size_t size = std::min<std::size_t>(packet->len - offset, data.remaining());
        result = data.put(static_cast<const std::byte*>(packet->payload) + offset, size);
        if (!result)
            break;
        moved += *result;
        offset += *result;
        if (*result < size)
            break;
        if (offset < packet->len)
            break;
        offset = 0;
        pbuf* next = packet->next;
        if (!peek) {
            packet->next = nullptr;
            spent.append(packet);
            reading_.head = next;
            if (!next)
                reading_.tail = nullptr;
        }
        packet = next;
    }
    if (!peek) {
        reading_offset_ = offset;
        if (moved > 0)
            consume(moved, spent);
    }
    if (moved == 0 && !result)
        return result;
    return moved;
}

void TcpSocket::consume(std::size_t bytes, PacketQueue& spent) {
    const StackGuard guard;
    spent.free_all();
    received_bytes_ -= bytes;
    set_amounts(received_bytes_, send_room());
    for (std::size_t left = bytes; pcb_ && left > 0;) {
        const std::size_t step = std::min(left, kLargestCall);
        tcp_recved(pcb_, static_cast<u16_t>(step));  // opens the window
        left -= step;
    }
    if (received_bytes_ == 0)
        refresh();
}

err_t TcpSocket::on_received(void* context, tcp_pcb* pcb, pbuf* packet, err_t) {
    if (!context) {
        if (packet)
            pbuf_free(packet);
        return ERR_OK;
    }
    auto& self = *static_cast<TcpSocket*>(context);
    if (!packet) {
        self.peer_finished_ = true;
        // lwIP frees a pcb in TIME_WAIT without a word: let go of it now, nothing is left to do
        // with it.
        if (pcb->state == TIME_WAIT || pcb->state == CLOSING)
            self.release_pcb();
    } else if (self.read_shut_) {
        tcp_recved(pcb, packet->tot_len);
        pbuf_free(packet);
        return ERR_OK;
    } else {
        self.received_bytes_ += packet->tot_len;
        self.incoming_.append(packet);
    }
    self.refresh(kReadable);
    return ERR_OK;
}

err_t TcpSocket::on_sent(void* context, tcp_pcb*, u16_t) {
    if (!context)
        return ERR_OK;
    auto& self = *static_cast<TcpSocket*>(context);
    self.last_progress_ = monotonic_now();
    if (self.send_room() >= kSendLowWater && (self.send_blocked_ || !self.ready(kWritable))) {
        self.send_blocked_ = false;
        self.refresh(kWritable);
    }
    return ERR_OK;
}

}  // namespace skep::kernel
