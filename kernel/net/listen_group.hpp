// The sockets that listen on one address and port: one, or several with ReusePort, which take the
// connections in turn. All with the stack's lock held.
#pragma once

#include <kernel/net/tcp_socket.hpp>

namespace skep::kernel {

class ListenGroup : public ListNode<> {
  public:
    // The group that a ReusePort socket bound to `local` would join; null if there is none.
    static ListenGroup* find(const Endpoint& local);
    // `pcb` is bound; it becomes the group's.
    static Result<ListenGroup*> create(tcp_pcb* pcb, const Endpoint& local, bool shared);

    void join(TcpSocket& socket);
    void leave(TcpSocket& socket);  // the last one ends the group

  private:
    static err_t on_accept(void* self, tcp_pcb* pcb, err_t error);
    err_t accept(tcp_pcb* pcb);

    tcp_pcb* pcb_ = nullptr;
    Endpoint local_;
    bool shared_ = false;
    List<TcpSocket, GroupTag> members_;  // the front one takes the next connection
};

}  // namespace skep::kernel
