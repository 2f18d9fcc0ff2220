// A socket of any family. The personalities translate numbers, addresses, options and flags to the
// forms below and call these; a family (kernel/ipc/unix_socket, kernel/net/inet_socket) implements
// them.
//
// Blocking is the implementation's: unless nonblocking() or MessageFlags has kMessageDontWait, an
// operation sleeps interruptibly, bounded by the SendTimeout / ReceiveTimeout option (then
// Errno::Again).
#pragma once

#include <kernel/base/vector.hpp>
#include <kernel/vfs/file.hpp>

#include <array>
#include <cstring>

namespace skep::kernel {

// FreeBSD's numbers.
enum class Family : std::uint8_t {
    Unspecified = 0,
    Unix = 1,
    Inet = 2,
    Inet6 = 28
};
enum class SocketType : std::uint8_t {
    Stream = 1,
    Datagram = 2,
    Raw = 3,
    SeqPacket = 5
};

// A socket address without the personality's header: `data` is what follows sa_family, alike in
// both personalities. Inet: port (network order), address (4), zeros. Inet6: port, flow
// information, address (16), scope. Unix: the path, `size` bytes, not terminated (a first byte of
// NUL: the abstract name space).
struct SocketAddress {
    Family family = Family::Unspecified;
    std::uint8_t size = 0;  // bytes of data in use
    std::array<std::uint8_t, 126> data{};
};

using MessageFlags = std::uint32_t;
inline constexpr MessageFlags kMessageOutOfBand = 1;
inline constexpr MessageFlags kMessagePeek = 2;
inline constexpr MessageFlags kMessageWaitAll = 4;
inline constexpr MessageFlags kMessageDontWait = 8;
inline constexpr MessageFlags kMessageNoSignal = 16;  // the caller raises no SIGPIPE
inline constexpr MessageFlags kMessageTruncate = 32;  // in: return the datagram's real size
// Only out, from receive_message:
inline constexpr MessageFlags kMessageTruncated = 64;  // the datagram was longer
inline constexpr MessageFlags kMessageControlTruncated = 128;
inline constexpr MessageFlags kMessageEndOfRecord = 256;

struct PeerCredentials {
    std::int32_t process = 0;
    std::uint32_t user = 0, group = 0;
};

struct ControlData {
    Vector<Ref<File>> files;  // SCM_RIGHTS
    // How many of them each control message had, for receivers that count control messages
    // (FreeBSD's libnv); empty: all in one.
    Vector<std::uint32_t> groups;
    bool credentials_sent = false;  // by the sender's wish (FreeBSD's SCM_CREDS)
    bool has_credentials = false;
    PeerCredentials credentials;
    // In, for receive_message: how many descriptors the caller has room for.
    std::size_t file_capacity = 0;
    // Out: the files still count as open in the message; release_files() once they have
    // descriptors.
    bool release_after_adding = false;
    void release_files() {
        if (release_after_adding)
            for (const Ref<File>& file : files)
                file->descriptor_removed();
        release_after_adding = false;
        files.clear();
    }
    ~ControlData() { release_files(); }
};

struct Message {
    Uio& data;
    SocketAddress* address = nullptr;  // send: destination or null; receive: filled if not null
    ControlData* control = nullptr;    // null: none to send, none wanted
    MessageFlags flags = 0;            // in and out
};

enum class SocketOption : std::uint8_t {
    // SOL_SOCKET. Flags are 0 or 1; sizes in bytes; timeouts in nanoseconds, 0 = none.
    ReuseAddress,
    ReusePort,
    KeepAlive,
    Broadcast,
    OutOfBandInline,
    DontRoute,
    Timestamp,
    PassCredentials,
    Linger,  // seconds, or -1: off
    SendBuffer,
    ReceiveBuffer,
    ReceiveLowWater,
    SendTimeout,
    ReceiveTimeout,
    Error,  // the pending Errno as a number, then cleared; 0 = none
    AcceptConnections,
    // Level TCP; times in seconds unless said.
    TcpNoDelay,
    TcpCork,
    TcpMaxSegment,
    TcpKeepIdle,
    TcpKeepInterval,
    TcpKeepCount,
    TcpUserTimeoutMs,
    // Levels IP and IPv6
    IpTypeOfService,
    IpTimeToLive,
    IpMulticastTtl,
    IpMulticastLoop,
    IpReceiveDestination,
    IpMtuDiscover,
    Ipv6Only,
    Ipv6UnicastHops,
    Ipv6ReceivePacketInfo,
};

enum class ShutdownHow : std::uint8_t {
    Read = 0,
    Write = 1,
    Both = 2
};

class Socket : public File {
  public:
    Socket(Family family, SocketType type, std::uint32_t protocol, std::uint32_t flags)
        : File(FileKind::Socket, flags | kOpenRead | kOpenWrite),
          family_(family),
          type_(type),
          protocol_(protocol) {}
    Family family() const { return family_; }
    SocketType type() const { return type_; }
    std::uint32_t protocol() const { return protocol_; }

    virtual Result<> bind(const SocketAddress&) = 0;
    virtual Result<> listen(int backlog) {
        (void)backlog;
        return fail(Errno::OpNotSupp);
    }
    // `flags`: kOpenNonblock or 0, for the new socket. `peer` is filled if not null.
    virtual Result<Ref<Socket>> accept(SocketAddress* peer, std::uint32_t flags) {
        (void)peer, (void)flags;
        return fail(Errno::OpNotSupp);
    }
    virtual Result<> connect(const SocketAddress&) = 0;
    // -> bytes. Pipe: the caller raises SIGPIPE unless kMessageNoSignal.
    virtual Result<std::size_t> send_message(Message&) = 0;
    // -> bytes; 0 = end of stream. With kMessageTruncate the datagram's size, perhaps more than was
    // stored.
    virtual Result<std::size_t> receive_message(Message&) = 0;
    virtual Result<> shutdown(ShutdownHow) = 0;
    virtual Result<> set_option(SocketOption, std::int64_t value) {
        (void)value;
        return fail(Errno::NoProtoOpt);
    }
    virtual Result<std::int64_t> option(SocketOption) { return fail(Errno::NoProtoOpt); }
    virtual Result<SocketAddress> local_address() = 0;
    virtual Result<SocketAddress> peer_address() = 0;  // NotConn
    virtual Result<PeerCredentials> peer_credentials() { return fail(Errno::NoProtoOpt); }

    Result<std::size_t> read(Uio& uio, std::uint64_t*) override {
        Message message{.data = uio};
        return receive_message(message);
    }
    Result<std::size_t> write(Uio& uio, std::uint64_t*) override {
        Message message{.data = uio};
        return send_message(message);
    }
    Result<> stat(FileStat&) override;
    Socket* socket() final { return this; }
    const char* description() const override { return "socket"; }

  private:
    Family family_;
    SocketType type_;
    std::uint32_t protocol_;
};

// A family makes itself known once, at boot. `flags`: kOpenNonblock or 0.
using SocketFactory = Result<Ref<Socket>> (*)(SocketType type, std::uint32_t protocol,
                                              std::uint32_t flags);
void register_socket_family(Family family, SocketFactory factory);
// AfNoSupport: no such family.
Result<Ref<Socket>> create_socket(Family family, SocketType type, std::uint32_t protocol,
                                  std::uint32_t flags);

}  // namespace skep::kernel
