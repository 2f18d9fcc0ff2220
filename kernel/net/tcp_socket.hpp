// A TCP socket over lwIP's raw API.
#pragma once

#include <kernel/net/inet_socket.hpp>

struct tcp_pcb;
struct pbuf;

namespace skep::kernel {

// Packets in order, linked by pbuf::next one by one; tot_len is not kept (it has 16 bits).
struct PacketQueue {
    pbuf* head = nullptr;
    pbuf* tail = nullptr;
    void append(pbuf* chain);
    void append(PacketQueue& other);  // which is then empty
    void free_all();
};

class TcpSocket final : public InetSocket,
                        public ListNode<struct AcceptTag>,
                        public ListNode<struct GroupTag> {
  public:
    TcpSocket(Family family, std::uint32_t flags)
        : InetSocket(family, SocketType::Stream, 6, flags) {
        set_ready(kWritable | kHangup);  // as Linux and FreeBSD: not connected
    }
    ~TcpSocket() override;

    Result<> bind(const SocketAddress&) override;
    Result<> listen(int backlog) override;
    Result<Ref<Socket>> accept(SocketAddress* peer, std::uint32_t flags) override;
    Result<> connect(const SocketAddress&) override;
    Result<std::size_t> send_message(Message&) override;
    Result<std::size_t> receive_message(Message&) override;
    Result<> shutdown(ShutdownHow) override;
    Result<SocketAddress> local_address() override;
    Result<SocketAddress> peer_address() override;
    void on_last_close() override { close(); }

  private:
    friend class ListenGroup;
    static constexpr std::size_t kSendLowWater = TCP_SNDLOWAT;
    enum class State : std::uint8_t {
        Idle,
        Listening,
        Connecting,
        Connected,
        Closed
    };

    ip_pcb* pcb_base() override;
    bool bound() const override { return pcb_ != nullptr || group_ != nullptr; }
    bool listening() const override { return state_ == State::Listening; }
    std::size_t readable_bytes() const override { return received_bytes_; }
    std::size_t unsent_bytes() const override;
    Result<> set_protocol_option(SocketOption option, std::int64_t value) override;
    Result<std::int64_t> protocol_option(SocketOption option) override;
    void error_taken() override { refresh(); }

    Result<> create_pcb();
    void adopt_pcb(tcp_pcb* pcb);  // installs the callbacks
    void apply_tcp_options();
    void inherit_options(TcpSocket& listener);
    void release_pcb();  // lwIP goes on with it, or not, without us
    void close();
    void close_pcb();
    void refresh(Events again = 0);  // readiness from the state
    void connection_lost(Errno error);
    // Bytes that lwIP takes now.
    std::size_t send_room() const;
    Result<std::size_t> send_piece(std::span<const std::byte> piece);
    Result<std::size_t> copy_received(Uio& data, bool peek);
    void consume(std::size_t bytes, PacketQueue& spent);

    static err_t on_connected(void* self, tcp_pcb*, err_t);
    static err_t on_received(void* self, tcp_pcb*, pbuf*, err_t);
    static err_t on_sent(void* self, tcp_pcb*, u16_t bytes);
    static err_t on_poll(void* self, tcp_pcb*);
    static void on_error(void* self, err_t);

    // Protected by the stack's lock.
    tcp_pcb* pcb_ = nullptr;
    State state_ = State::Idle;
    bool peer_finished_ = false;  // it will send no more
    bool read_shut_ = false, write_shut_ = false;
    bool send_blocked_ = false;  // someone waits for room
    Endpoint local_, peer_;
    PacketQueue incoming_;
    std::size_t received_bytes_ = 0;  // in incoming_ and reading_
    Nanoseconds last_progress_ = 0;   // of sending, for the user timeout
    bool no_delay_ = false;
    std::int64_t keep_idle_ = 7200, keep_interval_ = 75, keep_count_ = 9;
    std::int64_t user_timeout_ms_ = 0;

    // Listening
    class ListenGroup* group_ = nullptr;
    List<TcpSocket, AcceptTag> accepted_;  // each with a reference
    unsigned accepted_count_ = 0, backlog_ = 0;

    // One reader at a time; what it reads has left incoming_, so that user memory is copied outside
    // the stack's lock.
    Mutex read_mutex_{"tcp read"};
    PacketQueue reading_;
    std::size_t reading_offset_ = 0;  // in reading_.head
};

}  // namespace skep::kernel
