#include <kernel/ipc/unix_message.hpp>

namespace skep::kernel {

SpinLock unix_lock{"unix sockets"};
std::atomic<std::uint32_t> unix_sockets_in_flight{0};

namespace {

UnixSocket* unix_socket_of(const Ref<File>& file) {
    Socket* socket = file->socket();
    return socket && socket->family() == Family::Unix ? static_cast<UnixSocket*>(socket) : nullptr;
}

}  // namespace

void UnixMessage::hold_files(Vector<Ref<File>>&& given) {
    files = std::move(given);
    SpinGuard guard(unix_lock);
    for (const Ref<File>& file : files) {
        file->descriptor_added();
        if (UnixSocket* socket = unix_socket_of(file)) {
            socket->in_flight_++;
            unix_sockets_in_flight.fetch_add(1);
        }
    }
}

// The receiver adds them to its table before it lets go of the message's count: see
// descriptor_removed below.
Vector<Ref<File>> UnixMessage::take_files() {
    {
        SpinGuard guard(unix_lock);
        for (const Ref<File>& file : files)
            if (UnixSocket* socket = unix_socket_of(file)) {
                socket->in_flight_--;
                unix_sockets_in_flight.fetch_sub(1);
            }
    }
    return std::move(files);
}

UnixMessage::~UnixMessage() {
    Vector<Ref<File>> unread = take_files();
    for (const Ref<File>& file : unread)
        file->descriptor_removed();
}

// Reachable are sockets that somebody can get at but by receiving: those with more descriptors than
// messages that carry them. From these, what waits on the queues of reachable ones.
void collect_unix_garbage() {
    static Mutex collecting{"unix collector"};
    if (!collecting.try_lock())
        return;
    List<UnixMessage> doomed;
    {
        SpinGuard guard(unix_lock);
        List<UnixSocket, AllUnixTag>& all = all_unix_sockets();
        for (UnixSocket& socket : all)
            socket.reachable_ =
                socket.in_flight_ == 0 || socket.descriptor_count() > socket.in_flight_;
        for (bool changed = true; changed;) {
            changed = false;
            for (UnixSocket& socket : all) {
                if (!socket.reachable_)
                    continue;
                for (UnixMessage& message : socket.queue_)
                    for (const Ref<File>& file : message.files)
                        if (UnixSocket* carried = unix_socket_of(file);
                            carried && !carried->reachable_)
                            carried->reachable_ = changed = true;
            }
        }
        for (UnixSocket& socket : all) {
            // A thread may still receive on a socket whose descriptors are gone: another time then.
            if (socket.reachable_ || !socket.receive_order_.try_lock())
                continue;
            while (UnixMessage* message = socket.queue_.pop_front()) {
                socket.queued_bytes_ -= message->bytes.size() - message->offset;
                doomed.push_back(*message);
            }
            socket.receive_order_.unlock();
        }
    }
    collecting.unlock();
    while (UnixMessage* message = doomed.pop_front())
        delete message;  // closes what it carried, which may lead here again
}

}  // namespace skep::kernel
