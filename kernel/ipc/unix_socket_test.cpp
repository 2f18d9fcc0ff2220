#include <kernel/ipc/unix_socket.hpp>

#include <kernel/ipc/pipe.hpp>
#include <kernel/ipc/unix_message.hpp>
#include <kernel/testing/current.hpp>
#include <kernel/vfs/operations.hpp>
#include <kernel/vfs/tmpfs/tmpfs.hpp>

#include <gtest/gtest.h>

#include <string>
#include <thread>

namespace skep::kernel {
namespace {

class UnixSocketTest : public ::testing::Test {
  protected:
    UnixSocketTest() {
        tmpfs_ = *Tmpfs::create();
        kernel::testing::test_fs = *make_ref<FsContext>(tmpfs_->root(), tmpfs_->root());
        table_ = *make_ref<DescriptorTable>();
        SpinGuard guard(unix_lock);
        EXPECT_TRUE(all_unix_sockets().empty());
    }
    ~UnixSocketTest() override {
        table_->close_all();
        kernel::testing::test_fs.reset();
        tmpfs_->on_unmount();
        SpinGuard guard(unix_lock);
        EXPECT_TRUE(all_unix_sockets().empty());  // nothing leaked
        EXPECT_EQ(unix_sockets_in_flight.load(), 0u);
    }
    std::uint32_t add(Ref<File> file) { return *table_->add(std::move(file), false, 100); }
    Socket& at(std::uint32_t descriptor) { return *(*table_->get(descriptor))->socket(); }
    std::pair<std::uint32_t, std::uint32_t> pair(SocketType type = SocketType::Stream) {
        auto made = *UnixSocket::create_pair(type, 0);
        return {add(made.first), add(made.second)};
    }
    std::uint32_t socket(SocketType type = SocketType::Stream) {
        kernel::init_unix_sockets();
        return add(*UnixSocket::create(type, 0, 0));
    }
    static SocketAddress address(std::string_view name) {
        SocketAddress a{.family = Family::Unix, .size = static_cast<std::uint8_t>(name.size())};
        name.copy(reinterpret_cast<char*>(a.data.data()), name.size());
        return a;
    }
    static Result<std::size_t> send(Socket& s, std::string_view text, Vector<Ref<File>> files = {},
                                    MessageFlags flags = 0, SocketAddress* to = nullptr) {
        const IoSegment segment{reinterpret_cast<UserAddr>(text.data()), text.size()};
        Uio uio = Uio::kernel({&segment, 1});
        ControlData control;
        control.files = std::move(files);
        Message message{.data = uio, .address = to, .control = &control, .flags = flags};
        return s.send_message(message);
    }
    struct Received {
        std::string text;
        std::vector<std::uint32_t> descriptors;
        MessageFlags flags = 0;
        PeerCredentials credentials;
        Errno error{};
    };
    Received receive(Socket& s, std::size_t size = 100, std::size_t room = 10,
                     MessageFlags flags = 0) {
        Received result;
        result.text.resize(size);
        const IoSegment segment{reinterpret_cast<UserAddr>(result.text.data()), size};
        Uio uio = Uio::kernel({&segment, 1});
        ControlData control;
        control.file_capacity = room;
        Message message{.data = uio, .control = &control, .flags = flags};
        auto got = s.receive_message(message);
        if (!got) {
            result.error = got.error();
            result.text.clear();
            return result;
        }
        result.text.resize(std::min(*got, size));
        for (const Ref<File>& file : control.files)
            result.descriptors.push_back(add(file));
        result.flags = message.flags;
        result.credentials = control.credentials;
        return result;
    }
    static Vector<Ref<File>> one(Ref<File> file) {
        Vector<Ref<File>> files;
        EXPECT_TRUE(files.push_back(std::move(file)));
        return files;
    }
    Ref<Tmpfs> tmpfs_;
    Ref<DescriptorTable> table_;
};

TEST_F(UnixSocketTest, StreamJoinsWritesAndEnds) {
    auto [a, b] = pair();
    EXPECT_EQ(send(at(a), "hello ").value(), 6u);
    EXPECT_EQ(send(at(a), "world").value(), 5u);
    EXPECT_EQ(receive(at(b), 3).text, "hel");
    EXPECT_EQ(receive(at(b)).text, "lo world");
    EXPECT_EQ(receive(at(b), 10, 0, kMessageDontWait).error, Errno::Again);
    ASSERT_TRUE(at(a).shutdown(ShutdownHow::Write));
    EXPECT_EQ(receive(at(b)).text, "");
    EXPECT_EQ(send(at(a), "x").error(), Errno::Pipe);
    EXPECT_EQ(send(at(b), "back").value(), 4u);
    ASSERT_TRUE(table_->close(b));
    EXPECT_EQ(receive(at(a)).text, "back");
    EXPECT_EQ(receive(at(a)).text, "");
    EXPECT_TRUE(at(a).ready(kReadable) & kHangup);
    EXPECT_EQ(send(at(a), "x").error(), Errno::Pipe);
}

TEST_F(UnixSocketTest, PacketsKeepTheirBounds) {
    for (SocketType type : {SocketType::SeqPacket, SocketType::Datagram}) {
        auto [a, b] = pair(type);
        send(at(a), "one");
        send(at(a), "");
        send(at(a), "three");
        EXPECT_EQ(receive(at(b)).text, "one");
        EXPECT_EQ(receive(at(b)).text, "");
        Received cut = receive(at(b), 2);
        EXPECT_EQ(cut.text, "th");
        EXPECT_TRUE(cut.flags & kMessageTruncated);
        EXPECT_EQ(send(at(a), std::string(UnixSocket::kBuffer + 1, 'x')).error(), Errno::MsgSize);
    }
}

TEST_F(UnixSocketTest, BackPressureAndBulk) {
    auto [a, b] = pair();
    const std::string bulk(1 << 20, 'x');
    Ref<File> sender = *table_->get(a), receiver = *table_->get(b);
    std::thread writer([&] { EXPECT_EQ(send(*sender->socket(), bulk).value(), bulk.size()); });
    std::size_t total = 0;
    while (total < bulk.size())
        total += receive(*receiver->socket(), 50000).text.size();
    writer.join();
    std::size_t sent = 0;
    for (;;) {
        auto part = send(at(a), bulk, {}, kMessageDontWait);
        if (!part) {
            EXPECT_EQ(part.error(), Errno::Again);
            break;
        }
        sent += *part;
    }
    EXPECT_LE(sent, UnixSocket::kBuffer + UnixSocket::kStreamChunk);
    EXPECT_FALSE(at(a).ready(kWritable));
    while (receive(at(b), 100000, 0, kMessageDontWait).error == Errno{}) {
    }
    EXPECT_TRUE(at(a).ready(kWritable));
}

TEST_F(UnixSocketTest, NamedConnections) {
    const std::uint32_t listener = socket();
    EXPECT_EQ(at(listener).listen(5).error(), Errno::Inval);
    ASSERT_TRUE(at(listener).bind(address("/sock")));
    const std::uint32_t client = socket();
    EXPECT_EQ(at(client).connect(address("/sock")).error(), Errno::ConnRefused);
    ASSERT_TRUE(at(listener).listen(5));
    ASSERT_TRUE(at(client).connect(address("/sock")));
    EXPECT_EQ(at(client).connect(address("/sock")).error(), Errno::IsConn);
    EXPECT_EQ(send(at(client), "early").value(), 5u);  // before accept
    EXPECT_TRUE(at(listener).ready(kReadable));
    const std::uint32_t served = add(*at(listener).accept(nullptr, 0));
    EXPECT_EQ(receive(at(served)).text, "early");
    EXPECT_EQ(at(client).peer_credentials()->process, 100);
    EXPECT_EQ(at(client).peer_address()->size, 5);
    EXPECT_EQ(at(socket()).bind(address("/sock")).error(), Errno::AddrInUse);
    ASSERT_TRUE(table_->close(listener));
    EXPECT_EQ(at(socket()).connect(address("/sock")).error(), Errno::ConnRefused);
    EXPECT_EQ(at(socket(SocketType::Datagram)).connect(address("/nothing")).error(), Errno::NoEnt);
    using namespace std::string_view_literals;
    const std::uint32_t abstract = socket(SocketType::Datagram);
    ASSERT_TRUE(at(abstract).bind(address("\0name"sv)));
    SocketAddress to = address("\0name"sv);
    EXPECT_EQ(send(at(socket(SocketType::Datagram)), "dgram", {}, 0, &to).value(), 5u);
    EXPECT_EQ(receive(at(abstract)).text, "dgram");
}

TEST_F(UnixSocketTest, PendingConnectionsEndWithTheListener) {
    const std::uint32_t listener = socket(), client = socket();
    ASSERT_TRUE(at(listener).bind(address("s")));
    ASSERT_TRUE(at(listener).listen(5));
    ASSERT_TRUE(at(client).connect(address("s")));
    ASSERT_TRUE(table_->close(listener));
    EXPECT_EQ(receive(at(client)).text, "");
    EXPECT_TRUE(at(client).ready(0) & kHangup);
}

TEST_F(UnixSocketTest, PassesDescriptors) {
    auto [a, b] = pair();
    PipePair pipe = *create_pipe(0);
    const std::uint32_t write_end = add(pipe.write_end);
    send(at(a), "x", one(pipe.write_end));
    pipe.write_end.reset();
    ASSERT_TRUE(table_->close(write_end));
    EXPECT_FALSE(pipe.read_end->ready(kReadable) & kHangup);  // the message keeps it open
    Received got = receive(at(b));
    ASSERT_EQ(got.descriptors.size(), 1u);
    EXPECT_EQ(got.credentials.process, 100);
    const std::string_view text = "through";
    const IoSegment segment{reinterpret_cast<UserAddr>(text.data()), text.size()};
    Uio uio = Uio::kernel({&segment, 1});
    EXPECT_TRUE((*table_->get(got.descriptors[0]))->write(uio, nullptr));
    EXPECT_FALSE(pipe.read_end->ready(kReadable) & kHangup);
    ASSERT_TRUE(table_->close(got.descriptors[0]));
    EXPECT_TRUE(pipe.read_end->ready(kReadable) & kHangup);
}

TEST_F(UnixSocketTest, UnreceivedDescriptorsAreClosed) {
    auto [a, b] = pair();
    PipePair pipe = *create_pipe(0);
    add(pipe.read_end);
    const std::uint32_t w = add(pipe.write_end);
    send(at(a), "x", one(pipe.write_end));
    send(at(a), "y", one(pipe.write_end));
    pipe.write_end.reset();
    ASSERT_TRUE(table_->close(w));
    Received got = receive(at(b), 10, 0);  // no room for it
    EXPECT_TRUE(got.flags & kMessageControlTruncated);
    EXPECT_FALSE(pipe.read_end->ready(kReadable) & kHangup);
    ASSERT_TRUE(table_->close(b));  // with the second unread
    EXPECT_TRUE(pipe.read_end->ready(kReadable) & kHangup);
}

TEST_F(UnixSocketTest, StreamStopsAtDescriptors) {
    auto [a, b] = pair();
    send(at(a), "before");
    send(at(a), "with", one(*table_->get(a)));
    send(at(a), "after");
    EXPECT_EQ(receive(at(b)).text, "before");
    Received got = receive(at(b));
    EXPECT_EQ(got.text, "with");
    EXPECT_EQ(got.descriptors.size(), 1u);
    EXPECT_EQ(receive(at(b)).text, "after");
}

TEST_F(UnixSocketTest, CyclesInFlightAreCollected) {
    for (int i = 0; i < 3; i++) {
        auto [a, b] = pair();
        auto [c, d] = pair();
        PipePair pipe = *create_pipe(0);
        const std::uint32_t w = add(pipe.write_end);
        send(at(a), "self", one(*table_->get(b)));  // b waits on b
        send(at(c), "x", one(*table_->get(a)));     // a on d
        send(at(a), "y", one(*table_->get(d)));     // d on b
        send(at(a), "z", one(pipe.write_end));
        pipe.write_end.reset();
        for (std::uint32_t fd : {w, a, c, d, b})
            ASSERT_TRUE(table_->close(fd));
        EXPECT_TRUE(pipe.read_end->ready(kReadable) & kHangup);
    }
}

TEST_F(UnixSocketTest, PeekLeavesTheMessage) {
    auto [a, b] = pair(SocketType::Datagram);
    send(at(a), "look");
    EXPECT_EQ(receive(at(b), 10, 0, kMessagePeek).text, "look");
    EXPECT_EQ(receive(at(b), 10, 0, kMessagePeek | kMessageTruncate).text, "look");
    EXPECT_EQ(receive(at(b)).text, "look");
}

}  // namespace
}  // namespace skep::kernel
