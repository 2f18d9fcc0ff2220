// What TCP and UDP sockets share: waiting for lwIP's callbacks, readiness, and the options of the
// socket and IP levels.
#pragma once

#include <kernel/net/inet_address.hpp>
#include <kernel/net/stack.hpp>

struct ip_pcb;

namespace skep::kernel {

// Makes AF_INET and AF_INET6 known to the socket calls. Once, at boot.
void register_inet_sockets();

class InetSocket : public Socket {
  public:
    InetSocket(Family family, SocketType type, std::uint32_t protocol, std::uint32_t flags)
        : Socket(family, type, protocol, flags) {}

    Events ready(Events interest) final {
        return interest & ready_.load(std::memory_order_acquire);
    }
    std::uint64_t amount(Events which) final {
        return (which & kReadable ? readable_ : writable_).load(std::memory_order_relaxed);
    }
    Result<> set_option(SocketOption option, std::int64_t value) final;
    Result<std::int64_t> option(SocketOption option) final;
    Result<std::uint64_t> ioctl(std::uint64_t request, UserAddr argument) final;

  protected:
    // Of the pcb: v4, v6, or both for an IPv6 socket without Ipv6Only.
    u8_t ip_type() const;
    bool ipv6_only() const { return ipv6_only_; }
    Result<Endpoint> endpoint(const SocketAddress& from) const {
        return to_endpoint(from, family(), ipv6_only_);
    }
    SocketAddress socket_address(const Endpoint& from) const {
        return to_socket_address(from, family());
    }
    bool wants_wait(MessageFlags flags) const {
        return !nonblocking() && !(flags & kMessageDontWait);
    }

    // All below with the stack's lock held.

    // Sets the conditions that hold now. Sleepers are woken, and subscribers told of the new ones
    // and of `again`: those that hold anew (more data) though they held before.
    void set_ready(Events now, Events again = 0);
    void set_amounts(std::uint64_t readable, std::uint64_t writable) {
        readable_.store(readable, std::memory_order_relaxed);
        writable_.store(writable, std::memory_order_relaxed);
    }
    // Gives up the lock until the next set_ready(). Errors: Restart (a signal), Again (timeout).
    Result<> wait(StackGuard& guard, Nanoseconds deadline);
    Nanoseconds send_deadline() const { return deadline_after(send_timeout_); }
    Nanoseconds receive_deadline() const { return deadline_after(receive_timeout_); }

    void set_error(Errno error) { error_ = error; }
    // The error that waits to be reported, which is then forgotten.
    Result<> take_error();
    bool has_error() const { return error_ != Errno{}; }
    virtual void error_taken() {}  // readiness changes

    // The options that live in the pcb, put there when there is one.
    virtual ip_pcb* pcb_base() = 0;
    void apply_options();
    void copy_options(const InetSocket& from);  // for an accepted connection
    bool flag(SocketOption option) const { return flags_ & 1u << static_cast<unsigned>(option); }
    std::int64_t linger() const { return linger_; }
    std::size_t receive_buffer() const { return static_cast<std::size_t>(receive_buffer_); }

    virtual Result<> set_protocol_option(SocketOption option, std::int64_t value) {
        (void)option, (void)value;
        return fail(Errno::NoProtoOpt);
    }
    virtual Result<std::int64_t> protocol_option(SocketOption option) {
        (void)option;
        return fail(Errno::NoProtoOpt);
    }
    virtual bool bound() const = 0;
    virtual bool listening() const { return false; }
    virtual std::size_t readable_bytes() const = 0;
    virtual std::size_t unsent_bytes() const { return 0; }

  private:
    Nanoseconds deadline_after(Nanoseconds timeout) const;
    void set_flag(SocketOption option, bool on);

    std::atomic<Events> ready_{0};
    std::atomic<std::uint64_t> readable_{0}, writable_{0};  // what kevent shows
    SpinLock wait_lock_{"socket"};
    std::uint32_t changes_ = 0;  // protected by wait_lock_
    WaitQueue sleepers_;

    Errno error_{};
    std::uint32_t flags_ = 0;  // bits by SocketOption
    std::int64_t linger_ = -1;
    std::int64_t send_buffer_ = TCP_SND_BUF, receive_buffer_ = TCP_WND, receive_low_water_ = 1;
    Nanoseconds send_timeout_ = 0, receive_timeout_ = 0;
    std::int64_t time_to_live_ = -1, type_of_service_ = 0;
    bool ipv6_only_ = false;
};

}  // namespace skep::kernel
