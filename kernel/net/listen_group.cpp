#include <kernel/net/listen_group.hpp>

#include <lwip/tcp.h>

#include <new>

namespace skep::kernel {

namespace {

// lwIP counts to 255; each member limits its own queue besides.
constexpr u8_t kLargestBacklog = 255;

List<ListenGroup> groups;

}  // namespace

ListenGroup* ListenGroup::find(const Endpoint& local) {
    for (ListenGroup& group : groups) {
        if (group.shared_ && group.local_.port == local.port &&
            ip_addr_cmp(&group.local_.address, &local.address) &&
            IP_GET_TYPE(&group.local_.address) == IP_GET_TYPE(&local.address))
            return &group;
    }
    return nullptr;
}

Result<ListenGroup*> ListenGroup::create(tcp_pcb* pcb, const Endpoint& local, bool shared) {
    auto* group = new (std::nothrow) ListenGroup;
    if (!group)
        return fail(Errno::NoBufs);
    err_t error = ERR_OK;
    tcp_arg(pcb, nullptr);  // inherited by what is accepted before accept() sees it
    group->pcb_ = tcp_listen_with_backlog_and_err(pcb, kLargestBacklog, &error);
    if (!group->pcb_) {
        delete group;
        return fail(to_errno(error));
    }
    group->local_ = local;
    group->shared_ = shared;
    tcp_arg(group->pcb_, group);
    tcp_accept(group->pcb_, on_accept);
    groups.push_back(*group);
    return group;
}

void ListenGroup::join(TcpSocket& socket) {
    members_.push_back(socket);
}

void ListenGroup::leave(TcpSocket& socket) {
    members_.remove(socket);
    if (!members_.empty())
        return;
    groups.remove(*this);
    tcp_close(pcb_);
    delete this;
}

err_t ListenGroup::on_accept(void* self, tcp_pcb* pcb, err_t error) {
    // lwIP calls with an error, and perhaps no pcb, when it had no memory for a connection.
    if (!self || !pcb || error != ERR_OK)
        return ERR_VAL;
    return static_cast<ListenGroup*>(self)->accept(pcb);
}

err_t ListenGroup::accept(tcp_pcb* pcb) {
    TcpSocket* listener = members_.front();
    if (!listener)
        return ERR_MEM;
    members_.remove(*listener);
    members_.push_back(*listener);
    if (listener->accepted_count_ >= listener->backlog_)
        return ERR_MEM;  // lwIP resets the connection
    auto* socket = new (std::nothrow) TcpSocket(listener->family(), 0);
    if (!socket)
        return ERR_MEM;
    socket->adopt_pcb(pcb);
    socket->state_ = TcpSocket::State::Connected;
    socket->local_ = {pcb->local_ip, pcb->local_port};
    socket->peer_ = {pcb->remote_ip, pcb->remote_port};
    socket->inherit_options(*listener);
    socket->refresh();
    listener->accepted_.push_back(*socket);  // with the reference that it was born with
    ++listener->accepted_count_;
    listener->refresh(kReadable);
    return ERR_OK;
}

}  // namespace skep::kernel
