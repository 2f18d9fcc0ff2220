// Sending and receiving on Unix sockets.
#include <kernel/ipc/unix_message.hpp>
#include <kernel/sched/clock.hpp>
#include <kernel/vfs/current.hpp>

#include <algorithm>

namespace skep::kernel {

Result<Owned<UnixMessage>> UnixSocket::make_message(Message& message, std::size_t size) {
    Owned<UnixMessage> made = SKEP_TRY(make_owned<UnixMessage>());
    SKEP_TRY(made->bytes.resize(size));
    if (size && SKEP_TRY(message.data.take(made->bytes.data(), size)) != size)
        return fail(Errno::Fault);
    const Caller caller = current_caller();
    made->credentials = {current_process_id(), caller.user, caller.group};
    if (message.control) {
        if (message.control->files.size() > kFilesMax)
            return fail(Errno::TooManyRefs);
        if (message.control->has_credentials) {
            const PeerCredentials& claimed = message.control->credentials;
            if (!caller.superuser() &&
                (claimed.process != made->credentials.process || claimed.user != caller.user ||
                 claimed.group != caller.group))
                return fail(Errno::Perm);
            made->credentials = claimed;
        }
        made->credentials_sent = message.control->credentials_sent;
        made->groups = std::move(message.control->groups);
        made->hold_files(std::move(message.control->files));
    }
    return made;
}

Result<Ref<UnixSocket>> UnixSocket::destination(const Message& message) {
    if (!connection_oriented() && message.address &&
        message.address->family != Family::Unspecified) {
        Ref<UnixSocket> target = SKEP_TRY(find(*message.address));
        if (target->type() != type())
            return fail(Errno::ProtoType);
        return target;
    }
    SpinGuard guard(unix_lock);
    if (write_shut_)
        return fail(Errno::Pipe);
    if (!peer_)
        return fail(connection_oriented() ? (was_connected_ ? Errno::Pipe : Errno::NotConn)
                                          : (was_connected_ ? Errno::ConnRefused : Errno::NotConn));
    return peer_;
}

// Waits for room on the receiver's queue. A message goes in when there is any: the limit may be
// passed by one.
Result<> UnixSocket::enqueue(UnixSocket& to, Owned<UnixMessage>& message, bool wait) {
    {
        SpinGuard guard(unix_lock);
        const Nanoseconds until = deadline(send_timeout_);
        for (;;) {
            if (write_shut_)
                return fail(Errno::Pipe);
            if (to.closed_ || (connection_oriented() && peer_.get() != &to))
                return fail(connection_oriented() ? Errno::Pipe : Errno::ConnRefused);
            if (to.read_shut_)
                return fail(Errno::Pipe);
            if (to.queued_bytes_ < kBuffer)
                break;
            if (!wait)
                return fail(Errno::Again);
            if (auto woken = to.space_.wait(guard, Sleep::Interruptible, until); !woken)
                return fail(woken.error() == Errno::TimedOut ? Errno::Again : woken.error());
        }
        message->from = address_;
        message->from.family = Family::Unix;
        to.queued_bytes_ += message->bytes.size();
        to.queue_.push_back(*message.leak());
    }
    to.readers_.wake_one();
    to.events().notify(kReadable);
    return {};
}

Result<std::size_t> UnixSocket::send_message(Message& message) {
    if (message.flags & kMessageOutOfBand)
        return fail(Errno::OpNotSupp);
    const bool wait = !nonblocking() && !(message.flags & kMessageDontWait);
    if (type() == SocketType::Stream && message.address &&
        message.address->family != Family::Unspecified)
        return fail(was_connected_ ? Errno::IsConn : Errno::OpNotSupp);
    Ref<UnixSocket> to = SKEP_TRY(destination(message));
    if (type() != SocketType::Stream) {
        const std::size_t size = message.data.remaining();
        if (size > kBuffer)
            return fail(Errno::MsgSize);
        Owned<UnixMessage> made = SKEP_TRY(make_message(message, size));
        SKEP_TRY(enqueue(*to, made, wait));
        return size;
    }
    std::size_t done = 0;
    while (message.data.remaining()) {
        const std::size_t size = std::min(message.data.remaining(), kStreamChunk);
        if (!wait) {  // so that nothing is taken which cannot be sent
            SpinGuard guard(unix_lock);
            if (to->queued_bytes_ >= kBuffer && !to->closed_)
                return done ? Result<std::size_t>(done) : fail(Errno::Again);
        }
        auto made = make_message(message, size);
        if (!made)
            return done ? Result<std::size_t>(done) : fail(made.error());
        if (auto sent = enqueue(*to, *made, wait); !sent)
            return done ? Result<std::size_t>(done) : fail(sent.error());
        done += size;
    }
    return done;
}

Result<> UnixSocket::wait_for_message(bool wait, Nanoseconds until) {
    SpinGuard guard(unix_lock);
    while (queue_.empty()) {
        if (connection_oriented() && !was_connected_)
            return fail(Errno::NotConn);
        if (read_shut_ || (connection_oriented() && peer_gone()) || closed_)
            return {};
        if (!wait)
            return fail(Errno::Again);
        if (auto woken = readers_.wait(guard, Sleep::Interruptible, until); !woken)
            return fail(woken.error() == Errno::TimedOut ? Errno::Again : woken.error());
    }
    return {};
}

void UnixSocket::deliver_control(Message& message, UnixMessage& from, bool peek) {
    if (message.control) {
        message.control->has_credentials = true;
        message.control->credentials = from.credentials;
        message.control->credentials_sent = from.credentials_sent && !peek;
    }
    if (from.files.empty() || peek)
        return;
    Vector<Ref<File>> files = from.take_files();
    const std::size_t room = message.control ? message.control->file_capacity : 0;
    if (files.size() > room)
        message.flags |= kMessageControlTruncated;
    while (files.size() > room)
        files.pop_back()->descriptor_removed();
    if (!message.control)
        return;
    // The message's hold on each goes; the receiver's descriptors hold them from now on.
    message.control->files = std::move(files);
    message.control->groups = std::move(from.groups);
    message.control->release_after_adding = true;
}

// One message, or the next bytes of a stream. `more`: a stream may go on with the next message.
Result<std::size_t> UnixSocket::take(Message& message, bool& more) {
    const bool peek = message.flags & kMessagePeek;
    MutexGuard order(receive_order_);
    UnixMessage* first;
    {
        SpinGuard guard(unix_lock);
        first = queue_.front();  // stays: only receivers and the collector take messages
    }
    more = false;
    if (!first)
        return 0;
    const std::size_t left = first->bytes.size() - first->offset;
    const std::size_t wanted = std::min(left, message.data.remaining());
    const std::size_t moved =
        SKEP_TRY(message.data.put(first->bytes.data() + first->offset, wanted));
    if (message.address)
        *message.address = first->from;
    const bool had_files = !first->files.empty();
    deliver_control(message, *first, peek);
    const bool stream = type() == SocketType::Stream;
    std::size_t result = moved;
    if (!stream) {
        if (moved < left)
            message.flags |= kMessageTruncated;
        if (type() == SocketType::SeqPacket)
            message.flags |= kMessageEndOfRecord;
        if (message.flags & kMessageTruncate)
            result = left;
    }
    if (peek)
        return result;
    Owned<UnixMessage> used;
    {
        SpinGuard guard(unix_lock);
        if (stream && moved < left) {
            first->offset += moved;
            queued_bytes_ -= moved;
        } else {
            List<UnixMessage>::remove(*first);
            queued_bytes_ -= left;
            used.reset(first);
        }
        UnixMessage* next = queue_.front();
        more = stream && next && next->files.empty() && !had_files;
    }
    return result;
}

Result<std::size_t> UnixSocket::receive_message(Message& message) {
    if (message.flags & kMessageOutOfBand)
        return fail(Errno::OpNotSupp);
    const bool wait = !nonblocking() && !(message.flags & kMessageDontWait);
    const bool stream = type() == SocketType::Stream;
    if (stream && !message.data.remaining() && !message.control)
        return 0;
    const Nanoseconds until = deadline(receive_timeout_);
    std::size_t done = 0;
    for (;;) {
        if (auto waited = wait_for_message(wait, until); !waited)
            return done ? Result<std::size_t>(done) : fail(waited.error());
        bool more = false, taken_any;
        Ref<UnixSocket> peer;
        {
            SpinGuard guard(unix_lock);
            taken_any = !queue_.empty();
            peer = peer_;
        }
        if (!taken_any)
            return done;  // end of stream
        auto taken = take(message, more);
        if (!taken)
            return done ? Result<std::size_t>(done) : taken;
        space_.wake_all();
        if (peer)
            peer->events().notify(kWritable);
        done += *taken;
        if (!stream || (message.flags & kMessagePeek) || !message.data.remaining())
            return done;
        const bool all = (message.flags & kMessageWaitAll) &&
                         (!message.control || message.control->files.empty());
        if (!more && !all)
            return done;
    }
}

}  // namespace skep::kernel
