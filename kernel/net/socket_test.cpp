// TCP and UDP sockets over the loopback interface: the whole stack as the kernel runs it, on the
// build host.
#include <kernel/net/tcp_socket.hpp>
#include <kernel/net/udp_socket.hpp>
#include <kernel/testing/host.hpp>
#include <kernel/vfs/ioctl.hpp>

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace skep::kernel {
namespace {

class SocketTest : public ::testing::Test {
  protected:
    static void SetUpTestSuite() {
        static const bool kStarted = (initialize_network(), true);
        (void)kStarted;
    }
};
using TcpTest = SocketTest;
using UdpTest = SocketTest;

SocketAddress inet(std::array<std::uint8_t, 4> address, std::uint16_t port) {
    SocketAddress to;
    to.family = Family::Inet;
    to.size = 14;
    to.data = {static_cast<std::uint8_t>(port >> 8),
               static_cast<std::uint8_t>(port),
               address[0],
               address[1],
               address[2],
               address[3]};
    return to;
}
SocketAddress loopback(std::uint16_t port) {
    return inet({127, 0, 0, 1}, port);
}
SocketAddress inet6(std::uint8_t last, std::uint16_t port) {  // ::last
    SocketAddress to;
    to.family = Family::Inet6;
    to.size = 26;
    to.data = {static_cast<std::uint8_t>(port >> 8), static_cast<std::uint8_t>(port)};
    to.data[21] = last;
    return to;
}
std::uint16_t port_of(const SocketAddress& address) {
    return static_cast<std::uint16_t>(address.data[0] << 8 | address.data[1]);
}

template <typename T>
Ref<T> make(Family family, std::uint32_t flags = 0) {
    return Ref<T>::adopt(new T(family, flags));
}
Ref<TcpSocket> tcp(std::uint32_t flags = 0) {
    return make<TcpSocket>(Family::Inet, flags);
}

Result<std::size_t> send(Socket& socket, std::string_view text, MessageFlags flags = 0,
                         SocketAddress* to = nullptr) {
    const IoSegment segment{reinterpret_cast<UserAddr>(text.data()), text.size()};
    Uio uio = Uio::kernel({&segment, 1});
    Message message{.data = uio, .address = to, .flags = flags};
    return socket.send_message(message);
}
struct Received {
    std::string text;
    std::size_t result;
    MessageFlags flags;
    SocketAddress from;
};
Result<Received> receive(Socket& socket, std::size_t capacity, MessageFlags flags = 0) {
    Received received;
    received.text.resize(capacity);
    const IoSegment segment{reinterpret_cast<UserAddr>(received.text.data()), capacity};
    Uio uio = Uio::kernel({&segment, 1});
    Message message{.data = uio, .address = &received.from, .flags = flags};
    received.result = SKEP_TRY(socket.receive_message(message));
    received.text.resize(std::min(received.result, capacity));
    received.flags = message.flags;
    return received;
}
std::string text(const Result<Received>& received) {
    return received ? received->text
                    : "error " + std::to_string(static_cast<int>(received.error()));
}

Ref<TcpSocket> listener(Family family = Family::Inet, SocketAddress at = loopback(0)) {
    auto socket = make<TcpSocket>(family);
    EXPECT_TRUE(socket->bind(at));
    EXPECT_TRUE(socket->listen(16));
    return socket;
}
std::uint16_t port_of(Socket& socket) {
    return port_of(*socket.local_address());
}

struct Pair {
    Ref<Socket> server;
    Ref<TcpSocket> client;
};
Pair connected() {
    const auto listening = listener();
    Pair pair{nullptr, tcp()};
    EXPECT_TRUE(pair.client->connect(loopback(port_of(*listening))));
    pair.server = *listening->accept(nullptr, 0);
    return pair;
}

TEST_F(TcpTest, CarriesBytesBothWays) {
    const auto listening = listener();
    EXPECT_EQ(listening->ready(kReadable), 0u);
    const auto client = tcp();
    ASSERT_TRUE(client->connect(loopback(port_of(*listening))));
    EXPECT_EQ(listening->ready(kReadable), kReadable);
    SocketAddress peer;
    const auto server = *listening->accept(&peer, 0);
    EXPECT_EQ(port_of(peer), port_of(*client));
    EXPECT_EQ(port_of(*client->peer_address()), port_of(*listening));

    EXPECT_EQ(*send(*client, "ping"), 4u);
    EXPECT_EQ(text(receive(*server, 100, kMessagePeek)), "ping");
    EXPECT_EQ(server->ready(kReadable), kReadable);
    EXPECT_EQ(text(receive(*server, 2)), "pi");
    EXPECT_EQ(text(receive(*server, 100)), "ng");
    EXPECT_EQ(server->ready(kReadable | kWritable), kWritable);
    EXPECT_EQ(*send(*server, "pong"), 4u);
    EXPECT_EQ(text(receive(*client, 100)), "pong");
    EXPECT_EQ(receive(*client, 1, kMessageDontWait).error(), Errno::Again);
}

TEST_F(TcpTest, ShutdownIsAnEndOfFileAndKeepsTheOtherDirection) {
    const auto [server, client] = connected();
    ASSERT_TRUE(send(*client, "last"));
    ASSERT_TRUE(client->shutdown(ShutdownHow::Write));
    EXPECT_EQ(send(*client, "more").error(), Errno::Pipe);
    EXPECT_EQ(text(receive(*server, 10)), "last");
    EXPECT_EQ(text(receive(*server, 10)), "");
    EXPECT_EQ(server->ready(kReadable | kReadHangup | kHangup), kReadable | kReadHangup);
    ASSERT_TRUE(send(*server, "answer"));
    EXPECT_EQ(text(receive(*client, 10)), "answer");
    ASSERT_TRUE(server->shutdown(ShutdownHow::Both));
    EXPECT_EQ(text(receive(*client, 10)), "");
    EXPECT_EQ(client->ready(kHangup), kHangup);
    EXPECT_TRUE(client->peer_address());
}

TEST_F(TcpTest, MovesManyBytesInOrder) {
    const auto pair = connected();
    constexpr std::size_t kTotal = 16 * 1024 * 1024;
    std::string sent(kTotal, 0);
    for (std::size_t i = 0; i < kTotal; ++i)
        sent[i] = static_cast<char>(i * 2654435761u >> 13);
    std::thread sender([&] {
        EXPECT_EQ(*send(*pair.client, sent), kTotal);
        EXPECT_TRUE(pair.client->shutdown(ShutdownHow::Write));
    });
    std::string got;
    for (;;) {
        const auto part = receive(*pair.server, 100'000);
        ASSERT_TRUE(part);
        if (part->result == 0)
            break;
        got += part->text;
    }
    sender.join();
    EXPECT_TRUE(got == sent);
}

TEST_F(TcpTest, WaitAllWaitsForAll) {
    const auto pair = connected();
    std::thread sender([&] {
        for (int i = 0; i < 10; ++i)
            EXPECT_TRUE(send(*pair.client, "0123456789"));
    });
    EXPECT_EQ(receive(*pair.server, 100, kMessageWaitAll)->text.size(), 100u);
    sender.join();
}

TEST_F(TcpTest, NonblockingConnectReportsByErrorOption) {
    const auto listening = listener();
    const auto client = tcp(kOpenNonblock);
    EXPECT_EQ(client->connect(loopback(port_of(*listening))).error(), Errno::InProgress);
    EXPECT_EQ(client->ready(kWritable | kError), kWritable);
    EXPECT_EQ(*client->option(SocketOption::Error), 0);
    EXPECT_EQ(client->connect(loopback(port_of(*listening))).error(), Errno::IsConn);

    const std::uint16_t closed = port_of(*listener());
    const auto refused = tcp(kOpenNonblock);
    EXPECT_EQ(refused->connect(loopback(closed)).error(), Errno::InProgress);
    EXPECT_EQ(refused->ready(kWritable | kError), kWritable | kError);
    EXPECT_EQ(*refused->option(SocketOption::Error), static_cast<std::int64_t>(Errno::ConnRefused));
    EXPECT_EQ(*refused->option(SocketOption::Error), 0);
    EXPECT_EQ(tcp()->connect(loopback(closed)).error(), Errno::ConnRefused);
}

TEST_F(TcpTest, FullWindowBlocksUntilRead) {
    const auto pair = connected();
    const std::string block(64 * 1024, 'x');
    std::size_t total = 0;
    for (;;) {
        const auto sent = send(*pair.client, block, kMessageDontWait);
        if (!sent) {
            EXPECT_EQ(sent.error(), Errno::Again);
            break;
        }
        total += *sent;
        ASSERT_LT(total, 4u << 20);
    }
    EXPECT_GE(total, 256u << 10);
    EXPECT_EQ(pair.client->ready(kWritable), 0u);
    for (std::size_t got = 0; got < total;)
        got += receive(*pair.server, 100'000)->result;
    // The window update makes room at the sender.
    for (int i = 0; i < 100 && !pair.client->ready(kWritable); ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_EQ(pair.client->ready(kWritable), kWritable);
}

TEST_F(TcpTest, CloseWithUnreadDataResetsThePeer) {
    auto pair = connected();
    ASSERT_TRUE(send(*pair.client, "unread"));
    pair.server->on_last_close();
    EXPECT_EQ(receive(*pair.client, 10).error(), Errno::ConnReset);
    EXPECT_EQ(send(*pair.client, "x").error(), Errno::Pipe);
}

TEST_F(TcpTest, LingerZeroResets) {
    auto pair = connected();
    ASSERT_TRUE(pair.server->set_option(SocketOption::Linger, 0));
    pair.server.reset();
    EXPECT_EQ(receive(*pair.client, 10).error(), Errno::ConnReset);
}

TEST_F(TcpTest, BindRefusesWhatIsTakenOrForeign) {
    const auto first = listener();
    EXPECT_EQ(tcp()->bind(loopback(port_of(*first))).error(), Errno::AddrInUse);
    EXPECT_EQ(tcp()->bind(inet({192, 0, 2, 1}, 0)).error(), Errno::AddrNotAvail);
    EXPECT_EQ(tcp()->bind(inet6(1, 0)).error(), Errno::AfNoSupport);
    SocketAddress cut = loopback(0);
    cut.size = 3;
    EXPECT_EQ(tcp()->bind(cut).error(), Errno::Inval);
    EXPECT_EQ(first->bind(loopback(0)).error(), Errno::Inval);
}

TEST_F(TcpTest, ReusePortSharesConnections) {
    std::vector<Ref<TcpSocket>> sockets;
    std::uint16_t port = 0;
    for (int i = 0; i < 3; ++i) {
        const auto socket = tcp();
        ASSERT_TRUE(socket->set_option(SocketOption::ReusePort, 1));
        ASSERT_TRUE(socket->bind(loopback(port)));
        ASSERT_TRUE(socket->listen(8));
        port = port_of(*socket);
        sockets.push_back(socket);
    }
    std::vector<Ref<TcpSocket>> clients;
    for (int i = 0; i < 6; ++i) {
        clients.push_back(tcp());
        ASSERT_TRUE(clients.back()->connect(loopback(port)));
    }
    for (const auto& socket : sockets) {
        socket->set_flags(socket->flags() | kOpenNonblock);
        EXPECT_TRUE(socket->accept(nullptr, 0));
        EXPECT_TRUE(socket->accept(nullptr, 0));
        EXPECT_EQ(socket->accept(nullptr, 0).error(), Errno::Again);
    }
    sockets.erase(sockets.begin(), sockets.begin() + 2);
    EXPECT_TRUE(tcp()->connect(loopback(port)));
    sockets.clear();
    EXPECT_EQ(tcp()->connect(loopback(port)).error(), Errno::ConnRefused);
}

TEST_F(TcpTest, BacklogLimitsAndListenerTakesItsQueueAlong) {
    auto listening = listener();
    ASSERT_TRUE(listening->listen(2));
    const auto a = tcp(), b = tcp(), c = tcp();
    EXPECT_TRUE(a->connect(loopback(port_of(*listening))));
    EXPECT_TRUE(b->connect(loopback(port_of(*listening))));
    // The reset comes while it connects or after.
    const Result<> connecting = c->connect(loopback(port_of(*listening)));
    EXPECT_TRUE(!connecting || !receive(*c, 1));
    listening->on_last_close();
    EXPECT_EQ(text(receive(*a, 1)), "");
}

TEST_F(TcpTest, DualStackListenerTakesIpv4AsMapped) {
    const auto listening = listener(Family::Inet6, inet6(0, 0));
    const auto v4 = tcp();
    ASSERT_TRUE(v4->connect(loopback(port_of(*listening))));
    SocketAddress peer;
    ASSERT_TRUE(listening->accept(&peer, 0));
    EXPECT_EQ(peer.family, Family::Inet6);
    const std::uint8_t mapped[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1};
    EXPECT_EQ(std::memcmp(peer.data.data() + 6, mapped, sizeof mapped), 0);

    const auto v6 = make<TcpSocket>(Family::Inet6);
    ASSERT_TRUE(v6->connect(inet6(1, port_of(*listening))));
    ASSERT_TRUE(listening->accept(&peer, 0));
    EXPECT_EQ(peer.data[21], 1);

    const auto only = make<TcpSocket>(Family::Inet6);
    ASSERT_TRUE(only->set_option(SocketOption::Ipv6Only, 1));
    ASSERT_TRUE(only->bind(inet6(0, 0)));
    ASSERT_TRUE(only->listen(1));
    EXPECT_EQ(tcp()->connect(loopback(port_of(*only))).error(), Errno::ConnRefused);
}

TEST_F(TcpTest, TimeoutsAndSignalsEndAWait) {
    const auto pair = connected();
    ASSERT_TRUE(pair.server->set_option(SocketOption::ReceiveTimeout, 20'000'000));
    EXPECT_EQ(receive(*pair.server, 1).error(), Errno::Again);
    testing::signal_pending_flag = true;
    EXPECT_EQ(receive(*pair.client, 1).error(), Errno::Restart);
    testing::signal_pending_flag = false;
}

TEST_F(TcpTest, AFaultMovesNothing) {
    const auto pair = connected();
    const IoSegment bad{16, 100};
    Uio uio = Uio::user({&bad, 1});
    Message message{.data = uio};
    EXPECT_EQ(pair.client->send_message(message).error(), Errno::Fault);
    ASSERT_TRUE(send(*pair.client, "kept"));
    Uio into = Uio::user({&bad, 1});
    Message receiving{.data = into};
    EXPECT_EQ(pair.server->receive_message(receiving).error(), Errno::Fault);
    EXPECT_EQ(text(receive(*pair.server, 10)), "kept");
}

TEST_F(TcpTest, CountsReadableBytes) {
    const auto pair = connected();
    ASSERT_TRUE(send(*pair.client, "12345"));
    std::int32_t bytes = 0;
    ASSERT_TRUE(pair.server->ioctl(kIoctlBytesReadable, reinterpret_cast<UserAddr>(&bytes)));
    EXPECT_EQ(bytes, 5);
    EXPECT_EQ(pair.server->amount(kReadable), 5u);
    EXPECT_GT(pair.server->amount(kWritable), 0u);
}

TEST_F(TcpTest, ManyConnectionsLeaveNothingBehind) {
    const auto listening = listener();
    for (int i = 0; i < 300; ++i) {
        const auto client = tcp();
        ASSERT_TRUE(client->connect(loopback(port_of(*listening))));
        const auto server = *listening->accept(nullptr, 0);
        ASSERT_TRUE(send(*client, "x"));
        ASSERT_EQ(text(receive(*server, 1)), "x");
    }
}

TEST_F(UdpTest, CarriesDatagramsWithTheirSender) {
    const auto server = make<UdpSocket>(Family::Inet);
    ASSERT_TRUE(server->bind(loopback(0)));
    const auto client = make<UdpSocket>(Family::Inet);
    SocketAddress to = loopback(port_of(*server));
    EXPECT_EQ(*send(*client, "one", 0, &to), 3u);
    EXPECT_EQ(*send(*client, "", 0, &to), 0u);
    EXPECT_EQ(*send(*client, "three", 0, &to), 5u);
    EXPECT_EQ(text(receive(*server, 10, kMessagePeek)), "one");
    auto first = receive(*server, 10);
    EXPECT_EQ(text(first), "one");
    EXPECT_EQ(port_of(first->from), port_of(*client));
    EXPECT_EQ(text(receive(*server, 10)), "");
    const auto cut = receive(*server, 2, kMessageTruncate);
    EXPECT_EQ(cut->text, "th");
    EXPECT_EQ(cut->result, 5u);
    EXPECT_TRUE(cut->flags & kMessageTruncated);
    EXPECT_EQ(server->ready(kReadable), 0u);
    EXPECT_EQ(*send(*server, "back", 0, &first->from), 4u);
    EXPECT_EQ(text(receive(*client, 10)), "back");
}

TEST_F(UdpTest, ConnectedSocketsKnowTheirPeer) {
    const auto server = make<UdpSocket>(Family::Inet), client = make<UdpSocket>(Family::Inet);
    EXPECT_EQ(send(*client, "x").error(), Errno::DestAddrReq);
    ASSERT_TRUE(server->bind(loopback(0)));
    ASSERT_TRUE(client->connect(loopback(port_of(*server))));
    EXPECT_EQ(*send(*client, "x"), 1u);
    EXPECT_EQ(text(receive(*server, 10)), "x");
    const auto local = *client->local_address();
    EXPECT_EQ(local.data[2], 127);
    EXPECT_EQ(port_of(*client->peer_address()), port_of(*server));
}

TEST_F(UdpTest, LargeDatagramsAreWholeOrRefused) {
    const auto server = make<UdpSocket>(Family::Inet), client = make<UdpSocket>(Family::Inet);
    ASSERT_TRUE(server->bind(loopback(0)));
    SocketAddress to = loopback(port_of(*server));
    const std::string large(65507, 'y');
    EXPECT_EQ(*send(*client, large, 0, &to), large.size());
    EXPECT_EQ(receive(*server, 70'000)->text, large);
    EXPECT_EQ(send(*client, large + "y", 0, &to).error(), Errno::MsgSize);
}

TEST_F(UdpTest, AFullQueueDropsAndGoesOn) {
    const auto server = make<UdpSocket>(Family::Inet), client = make<UdpSocket>(Family::Inet);
    ASSERT_TRUE(server->bind(loopback(0)));
    ASSERT_TRUE(server->set_option(SocketOption::ReceiveBuffer, 8192));
    SocketAddress to = loopback(port_of(*server));
    for (int i = 0; i < 100; ++i)
        ASSERT_TRUE(send(*client, std::string(1000, 'z'), 0, &to));
    int got = 0;
    while (receive(*server, 1000, kMessageDontWait))
        ++got;
    EXPECT_EQ(got, 6);
    ASSERT_TRUE(send(*client, "again", 0, &to));
    EXPECT_EQ(text(receive(*server, 10)), "again");
}

}  // namespace
}  // namespace skep::kernel
