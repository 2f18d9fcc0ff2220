// A UDP socket over lwIP's raw API.
#pragma once

#include <kernel/net/inet_socket.hpp>

struct udp_pcb;
struct pbuf;

namespace skep::kernel {

class UdpSocket final : public InetSocket {
  public:
    UdpSocket(Family family, std::uint32_t flags)
        : InetSocket(family, SocketType::Datagram, 17, flags) {
        set_ready(kWritable);
    }
    ~UdpSocket() override { close(); }

    Result<> bind(const SocketAddress&) override;
    Result<> connect(const SocketAddress&) override;
    Result<std::size_t> send_message(Message&) override;
    Result<std::size_t> receive_message(Message&) override;
    Result<> shutdown(ShutdownHow) override;
    Result<SocketAddress> local_address() override;
    Result<SocketAddress> peer_address() override;
    void on_last_close() override { close(); }

  private:
    struct Datagram : ListNode<> {
        pbuf* data;
        Endpoint from;
    };

    ip_pcb* pcb_base() override;
    bool bound() const override;
    std::size_t readable_bytes() const override;
    Result<> create_pcb();
    Result<Endpoint> destination(const Message&);
    void close();
    void refresh(Events again = 0);
    void error_taken() override { refresh(); }
    static void drop(Datagram* datagram);
    static void on_received(void* self, udp_pcb*, pbuf*, const ip_addr_t* from, u16_t port);

    // Protected by the stack's lock.
    udp_pcb* pcb_ = nullptr;
    Endpoint peer_;
    bool connected_ = false, closed_ = false;
    bool read_shut_ = false, write_shut_ = false;
    List<Datagram> received_;
    std::size_t received_bytes_ = 0;
};

}  // namespace skep::kernel
