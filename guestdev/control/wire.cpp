#include <guestdev/control/wire.hpp>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace skep::guestdev {
namespace {

constexpr std::size_t kLengthSize = 4;

std::uint32_t load_length(const char* bytes) {
    std::uint32_t value;
    std::memcpy(&value, bytes, sizeof value);  // x86 is little endian
    return value;
}

}  // namespace

Descriptor::~Descriptor() {
    if (fd_ >= 0)
        close(fd_);
}

Result<bool> Wire::receive() {
    std::array<char, 16 * 1024> chunk;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(kDescriptorsMax * sizeof(int))> ancillary;
    while (true) {
        iovec part = {chunk.data(), chunk.size()};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = ancillary.data();
        message.msg_controllen = ancillary.size();
        ssize_t got = recvmsg(socket_, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return true;
        if (got < 0 && errno == ECONNRESET)
            return false;
        if (got < 0)
            return fail_errno(Code::Unavailable, "control socket", errno);
        for (cmsghdr* header = CMSG_FIRSTHDR(&message); header;
             header = CMSG_NXTHDR(&message, header)) {
            if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
                continue;
            std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (std::size_t i = 0; i < count; i++) {
                int fd;
                std::memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
                descriptors_.emplace_back(fd);
            }
        }
        if (message.msg_flags & MSG_CTRUNC)
            return fail(Code::InvalidArgument, "control socket: too many descriptors in a message");
        if (got == 0)
            return false;
        buffer_.append(chunk.data(), static_cast<std::size_t>(got));
        if (buffer_.size() > 2 * kMessageMax)
            return true;  // enough for now: a full message is in it
    }
}

Result<std::optional<Incoming>> Wire::next() {
    if (buffer_.size() < kLengthSize)
        return std::nullopt;
    std::uint32_t length = load_length(buffer_.data());
    if (length > kMessageMax)
        return fail(Code::InvalidArgument,
                    "control socket: a message of " + std::to_string(length) + " bytes");
    if (buffer_.size() - kLengthSize < length)
        return std::nullopt;
    Incoming incoming{};
    incoming.understood =
        incoming.request.ParseFromArray(buffer_.data() + kLengthSize, static_cast<int>(length));
    buffer_.erase(0, kLengthSize + length);
    // A sender waits for the answer before it sends descriptors again, so all that came are this
    // message's.
    while (!descriptors_.empty()) {
        incoming.descriptors.push_back(std::move(descriptors_.front()));
        descriptors_.pop_front();
    }
    if (!incoming.understood)
        incoming.request.Clear();
    return incoming;
}

void Wire::send(const control::v1::Response& response) {
    std::string frame(kLengthSize, '\0');
    response.AppendToString(&frame);
    auto length = static_cast<std::uint32_t>(frame.size() - kLengthSize);
    std::memcpy(frame.data(), &length, sizeof length);
    std::size_t sent = 0;
    while (sent < frame.size()) {
        ssize_t put = ::send(socket_, frame.data() + sent, frame.size() - sent, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            pollfd writable = {socket_, POLLOUT, 0};
            (void)poll(&writable, 1, -1);
            continue;
        }
        if (put <= 0)
            return;
        sent += static_cast<std::size_t>(put);
    }
}

}  // namespace skep::guestdev
