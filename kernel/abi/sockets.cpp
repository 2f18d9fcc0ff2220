#include <kernel/abi/sockets.hpp>

#include <kernel/ipc/unix_socket.hpp>

#include <algorithm>

namespace skep::kernel::abi {

Result<SocketArgument> socket_argument(std::uint64_t descriptor) {
    SocketArgument argument{SKEP_TRY(file_argument(descriptor))};
    if (!argument.file->socket())
        return fail(Errno::NotSock);
    return argument;
}

// Without a descriptor a socket would stay connected for ever.
Result<std::uint64_t> add_socket(Ref<Socket> socket, bool close_on_exec) {
    const auto descriptor = add_descriptor(socket, close_on_exec);
    if (!descriptor) {
        socket->on_last_close();
        return fail(descriptor.error());
    }
    return *descriptor;
}

Result<> open_socket_pair(std::uint32_t (&descriptors)[2], Family family, SocketType type,
                          std::uint32_t flags, bool close_on_exec) {
    if (family != Family::Unix)
        return fail(Errno::OpNotSupp);
    auto [first, second] = SKEP_TRY(UnixSocket::create_pair(type, flags));
    const auto one = add_socket(first, close_on_exec);
    if (!one) {
        second->on_last_close();
        return fail(one.error());
    }
    const auto two = add_socket(second, close_on_exec);
    descriptors[0] = static_cast<std::uint32_t>(*one);
    if (!two) {
        (void)current_descriptors().close(descriptors[0]);
        return fail(two.error());
    }
    descriptors[1] = static_cast<std::uint32_t>(*two);
    return {};
}

Result<std::uint64_t> send_message(Socket& socket, Message& message) {
    const auto sent = socket.send_message(message);
    if (!sent && sent.error() == Errno::Pipe && !(message.flags & kMessageNoSignal) &&
        !(socket.flags() & kFileNoPipeSignal))
        raise_pipe_signal();
    return restartable(sent);
}

Result<Vector<std::uint32_t>> add_received_files(ControlData& control, std::size_t room,
                                                 bool close_on_exec, MessageFlags& flags) {
    Vector<std::uint32_t> descriptors;
    room = std::min(control.files.size(), room);
    SKEP_TRY(descriptors.reserve(room));
    while (descriptors.size() < room) {
        const auto added = add_descriptor(control.files[descriptors.size()], close_on_exec);
        if (!added)
            break;
        SKEP_TRY(descriptors.push_back(*added));
    }
    if (descriptors.size() < control.files.size())
        flags |= kMessageControlTruncated;
    return descriptors;
}

void close_all(std::span<const std::uint32_t> descriptors) {
    for (const std::uint32_t descriptor : descriptors)
        (void)current_descriptors().close(descriptor);
}

}  // namespace skep::kernel::abi
