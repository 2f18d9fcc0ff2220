// Framed messages with descriptors over the control socket (proto/skep/control/v1/control.proto).
#pragma once

#include <guestdev/core/error.hpp>

#include <skep/control/v1/control.pb.h>

#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace skep::guestdev {

// Owns a descriptor.
class Descriptor {
  public:
    explicit Descriptor(int fd = -1) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Descriptor();
    int get() const { return fd_; }

  private:
    int fd_;
};

struct Incoming {
    bool understood;  // else `request` is empty
    control::v1::Request request;
    std::vector<Descriptor> descriptors;
};

class Wire {
  public:
    static constexpr std::uint32_t kMessageMax = 1 << 20;
    static constexpr unsigned kDescriptorsMax = 64;

    // Does not own the socket.
    explicit Wire(int socket) : socket_(socket) {}

    // Reads what is there, without blocking. False: the other end is gone.
    Result<bool> receive();
    // The next complete message. An error: the stream is lost.
    Result<std::optional<Incoming>> next();

    // Blocks until it is sent. The other end being gone is not an error: receive() will tell.
    void send(const control::v1::Response& response);

  private:
    int socket_;
    std::string buffer_;
    std::deque<Descriptor> descriptors_;  // that came with what is in the buffer
};

}  // namespace skep::guestdev
