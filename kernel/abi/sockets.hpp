// What calls on sockets do, where both personalities agree.
#pragma once

#include <kernel/abi/arguments.hpp>
#include <kernel/ipc/socket.hpp>

namespace skep::kernel::abi {

// The file stays open for the call.
struct SocketArgument {
    Ref<File> file;
    Socket* operator->() const { return file->socket(); }
    Socket& operator*() const { return *file->socket(); }
};
Result<SocketArgument> socket_argument(std::uint64_t descriptor);  // NotSock

// A descriptor for a new socket, which is closed if there is none for it.
Result<std::uint64_t> add_socket(Ref<Socket>, bool close_on_exec);

// Two connected sockets. OpNotSupp: only Unix sockets come in pairs.
Result<> open_socket_pair(std::uint32_t (&descriptors)[2], Family, SocketType, std::uint32_t flags,
                          bool close_on_exec);

// SIGPIPE where it belongs; an interrupted call restarts.
Result<std::uint64_t> send_message(Socket&, Message&);

// Gives received files descriptors, as many as `room`; what cannot be told of is dropped and
// `flags` says so.
Result<Vector<std::uint32_t>> add_received_files(ControlData&, std::size_t room, bool close_on_exec,
                                                 MessageFlags& flags);
void close_all(std::span<const std::uint32_t> descriptors);

}  // namespace skep::kernel::abi
