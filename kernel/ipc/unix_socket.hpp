// Unix-domain sockets: stream, datagram and sequenced packets, named in the file system or in the
// abstract name space, with descriptors and credentials passed along.
//
// What is sent waits as messages on the receiver's queue. One spin lock, unix_lock, guards the
// connections and queues of all of them; user memory is touched, and memory allocated and freed,
// outside it.
#pragma once

#include <kernel/base/make.hpp>
#include <kernel/ipc/socket.hpp>

namespace skep::kernel {

struct UnixMessage;
struct AllUnixTag {};
struct PendingTag {};

class UnixSocket final : public Socket, public ListNode<AllUnixTag>, public ListNode<PendingTag> {
  public:
    static constexpr std::size_t kBuffer = 208 * 1024;  // bytes that wait for one receiver
    static constexpr std::size_t kStreamChunk = 32 * 1024;
    static constexpr std::size_t kFilesMax = 253;  // descriptors in one message

    static Result<Ref<Socket>> create(SocketType type, std::uint32_t protocol, std::uint32_t flags);
    static Result<std::pair<Ref<Socket>, Ref<Socket>>> create_pair(SocketType type,
                                                                   std::uint32_t flags);
    UnixSocket(SocketType type, std::uint32_t flags);
    ~UnixSocket() override;

    Result<> bind(const SocketAddress&) override;
    Result<> listen(int backlog) override;
    Result<Ref<Socket>> accept(SocketAddress* peer, std::uint32_t flags) override;
    Result<> connect(const SocketAddress&) override;
    Result<std::size_t> send_message(Message&) override;
    Result<std::size_t> receive_message(Message&) override;
    Result<> shutdown(ShutdownHow) override;
    Result<> set_option(SocketOption, std::int64_t value) override;
    Result<std::int64_t> option(SocketOption) override;
    Result<SocketAddress> local_address() override;
    Result<SocketAddress> peer_address() override;
    Result<PeerCredentials> peer_credentials() override;
    Result<std::uint64_t> ioctl(std::uint64_t request, UserAddr argument) override;
    Events ready(Events interest) override;
    std::uint64_t amount(Events which) override;
    void on_last_close() override;
    void on_descriptor_removed() override;

  private:
    friend struct UnixMessage;
    friend void collect_unix_garbage();

    bool connection_oriented() const { return type() != SocketType::Datagram; }
    static Result<Ref<UnixSocket>> find(const SocketAddress&);
    static void join(UnixSocket& a, UnixSocket& b);
    Result<Owned<UnixMessage>> make_message(Message&, std::size_t size);
    Result<Ref<UnixSocket>> destination(const Message&);
    Result<> enqueue(UnixSocket& to, Owned<UnixMessage>&, bool wait);
    Result<> wait_for_message(bool wait, Nanoseconds deadline);
    Result<std::size_t> take(Message&, bool& more);
    static void deliver_control(Message&, UnixMessage&, bool peek);
    bool peer_gone() const { return was_connected_ && !peer_; }
    Nanoseconds deadline(std::int64_t timeout) const;

    // Under unix_lock.
    Ref<UnixSocket> peer_;  // connected to, or a datagram socket's default destination
    bool was_connected_ = false;
    bool closed_ = false;
    bool read_shut_ = false, write_shut_ = false;
    List<UnixMessage> queue_;
    std::size_t queued_bytes_ = 0;
    bool listening_ = false;
    std::uint32_t backlog_ = 0, pending_count_ = 0;
    List<UnixSocket, PendingTag>
        pending_;  // connections to accept; the list owns a reference of each
    SocketAddress address_;
    PeerCredentials own_credentials_, peer_credentials_;
    std::uint32_t in_flight_ = 0;  // messages that carry this socket
    bool reachable_ = false;       // of the collector
    bool pass_credentials_ = false;
    std::int64_t send_timeout_ = 0, receive_timeout_ = 0;
    WaitQueue readers_, space_, acceptors_;

    Mutex receive_order_{"UnixSocket receive"};  // one receiver copies at a time
    Mutex bind_lock_{"UnixSocket bind"};
    Ref<Vnode> bound_;
};

void init_unix_sockets();

}  // namespace skep::kernel
