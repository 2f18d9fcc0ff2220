// A message on its way between Unix sockets: bytes, descriptors, who sent it.
#pragma once

#include <kernel/ipc/unix_socket.hpp>

namespace skep::kernel {

struct UnixMessage : ListNode<> {
    // A file in a message counts as open, like one with a descriptor.
    ~UnixMessage();
    void hold_files(Vector<Ref<File>>&& files);
    Vector<Ref<File>> take_files();

    Vector<std::byte> bytes;
    std::size_t offset = 0;  // read so far, of a stream
    Vector<Ref<File>> files;
    Vector<std::uint32_t> groups;  // ControlData::groups
    bool credentials_sent = false;
    PeerCredentials credentials;
    SocketAddress from;
};

extern SpinLock unix_lock;
List<UnixSocket, AllUnixTag>& all_unix_sockets();  // under unix_lock
// Unix sockets in messages: only then is there anything to collect.
extern std::atomic<std::uint32_t> unix_sockets_in_flight;
// Frees sockets that only messages refer to which only such sockets could receive.
void collect_unix_garbage();

}  // namespace skep::kernel
