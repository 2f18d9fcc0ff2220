#include <guestdev/boot/test_kernel_test.hpp>
#include <guestdev/control/server.hpp>
#include <guestdev/cpuid/host_cpuid_test.hpp>
#include <guestdev/vmm/fake_vmm_test.hpp>

#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <thread>

namespace skep::guestdev {
namespace {

// skepd's end.
struct ControlTest : testing::Test {
    ControlTest() {
        EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, control), 0);
        EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, console), 0);
        vmm.supported = host_cpuid();
        thread = std::thread([this] {
            Server server(control[1], console[1], vmm);
            result = server.serve();
        });
    }
    ~ControlTest() override {
        shutdown(control[0], SHUT_RDWR);
        if (thread.joinable())
            thread.join();
        for (int fd : {control[0], control[1], console[0], console[1]})
            close(fd);
    }
    void send_bytes(const std::string& bytes, std::span<const int> fds = {}) {
        alignas(cmsghdr) char ancillary[CMSG_SPACE(8 * sizeof(int))] = {};
        iovec part = {const_cast<char*>(bytes.data()), bytes.size()};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        if (!fds.empty()) {
            message.msg_control = ancillary;
            message.msg_controllen = CMSG_SPACE(fds.size_bytes());
            cmsghdr* header = CMSG_FIRSTHDR(&message);
            header->cmsg_level = SOL_SOCKET;
            header->cmsg_type = SCM_RIGHTS;
            header->cmsg_len = CMSG_LEN(fds.size_bytes());
            std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
        }
        ASSERT_EQ(sendmsg(control[0], &message, MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
    }
    static std::string frame(const std::string& body) {
        std::string bytes(4, '\0');
        auto length = static_cast<std::uint32_t>(body.size());
        std::memcpy(bytes.data(), &length, 4);
        return bytes + body;
    }
    control::v1::Response receive() {
        control::v1::Response response;
        std::uint32_t length = 0;
        EXPECT_EQ(recv(control[0], &length, 4, MSG_WAITALL), 4);
        std::string body(length, '\0');
        EXPECT_EQ(recv(control[0], body.data(), length, MSG_WAITALL), static_cast<ssize_t>(length));
        EXPECT_TRUE(response.ParseFromString(body));
        return response;
    }
    control::v1::Response call(control::v1::Request request, std::span<const int> fds = {}) {
        request.set_id(++id);
        send_bytes(frame(request.SerializeAsString()), fds);
        while (true) {
            auto response = receive();
            if (response.id() == id)
                return response;
            EXPECT_EQ(response.id(), 0u);
        }
    }
    control::v1::Response configure() {
        auto kernel = test_kernel();
        int fd = memfd_create("kernel", MFD_CLOEXEC);
        EXPECT_EQ(write(fd, kernel.data(), kernel.size()), static_cast<ssize_t>(kernel.size()));
        control::v1::Request request;
        auto* spec = request.mutable_configure()->mutable_spec();
        spec->set_vcpus(1);
        spec->set_memory_bytes(32 << 20);
        auto response = call(request, {{fd}});
        close(fd);
        return response;
    }

    FakeVmm vmm;
    int control[2], console[2];
    std::thread thread;
    Status result;
    std::uint64_t id = 0;
};

control::v1::Request get_state() {
    control::v1::Request request;
    request.mutable_get_state();
    return request;
}

TEST_F(ControlTest, LivesThroughAGuestsLife) {
    EXPECT_EQ(call(get_state()).state().phase(), control::v1::State::PHASE_EMPTY);
    EXPECT_EQ(configure().status().message(), "");
    control::v1::Request run;
    run.mutable_run();
    EXPECT_EQ(call(run).status().code(), 0u);
    EXPECT_EQ(call(get_state()).state().phase(), control::v1::State::PHASE_RUNNING);
    for (char c : std::string("hello\n"))
        vmm.script_out(0x3f8, static_cast<std::uint8_t>(c));
    char text[6];
    EXPECT_EQ(recv(console[0], text, 6, MSG_WAITALL), 6);
    EXPECT_EQ(std::memcmp(text, "hello\n", 6), 0);
    // A prompt without a line's end comes too.
    vmm.script_out(0x3f8, '$');
    EXPECT_EQ(recv(console[0], text, 1, MSG_WAITALL), 1);
    // And input goes in: the guest polls for it.
    EXPECT_EQ(send(console[0], "i", 1, 0), 1);
    std::atomic<int> got = 0;
    for (int i = 0; i < 20'000 && got == 0; i++) {
        if (vmm.script_done()) {
            vmm.script([](abi::VcpuPage& page) {
                page.reason = abi::ExitReason::Io;
                page.io = {.port = 0x3f8,
                           .size = 1,
                           .is_in = 1,
                           .is_string = 0,
                           .is_rep = 0,
                           .reserved = {}};
                page.instruction_length = 1;
            });
            vmm.script([&](abi::VcpuPage& page) {
                got = static_cast<int>(page.general.rax & 0xff);
                page.reason = abi::ExitReason::Interrupted;
            });
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    EXPECT_EQ(got, 'i');
    control::v1::Request save;
    save.mutable_save()->set_creator("test");
    EXPECT_EQ(call(save).status().message(), "save: one descriptor is needed, 0 came");
    int fd = memfd_create("snapshot", MFD_CLOEXEC);
    auto saved = call(save, {{fd}});
    EXPECT_EQ(saved.status().message(), "");
    EXPECT_EQ(saved.save().ram_bytes(), 32u << 20);
    EXPECT_EQ(static_cast<std::uint64_t>(lseek(fd, 0, SEEK_END)), saved.save().bytes_written());
    close(fd);
    control::v1::Request end;
    end.mutable_shutdown();
    EXPECT_EQ(call(end).status().code(), 0u);
    thread.join();
    EXPECT_TRUE(result);
}

TEST_F(ControlTest, TellsOfTheGuestsEnd) {
    configure();
    vmm.script([](abi::VcpuPage& page) { page.reason = abi::ExitReason::Shutdown; });
    control::v1::Request run;
    run.mutable_run();
    call(run);
    while (true) {
        auto response = receive();
        ASSERT_EQ(response.id(), 0u);
        if (response.event().state().phase() == control::v1::State::PHASE_CRASHED) {
            EXPECT_EQ(response.event().state().detail(), "vCPU 0: triple fault at 0x0");
            break;
        }
    }
    EXPECT_EQ(call(get_state()).state().phase(), control::v1::State::PHASE_CRASHED);
}

TEST_F(ControlTest, AnswersWhatItCannotUnderstand) {
    control::v1::Request nothing;
    EXPECT_EQ(call(nothing).status().message(), "a request that this release does not know");
    send_bytes(frame("\xff\xff\xff garbage"));
    auto response = receive();
    EXPECT_EQ(response.id(), 0u);
    EXPECT_EQ(response.status().message(), "control socket: a message that is no Request");
    EXPECT_EQ(call(get_state()).state().phase(), control::v1::State::PHASE_EMPTY);
    control::v1::Request configure;
    configure.mutable_configure();
    EXPECT_EQ(call(configure).status().message(),
              "configure: the descriptors of kernel and initrd are missing");
    control::v1::Request restore;
    restore.mutable_restore();
    EXPECT_EQ(call(restore).status().message(), "restore: the snapshot's descriptor is missing");
}

// A save that cannot end by itself: nobody reads the pipe that it goes into. What was sent before
// the reader begins is seen in the middle of it.
TEST_F(ControlTest, ASaveIsBrokenOffAndTheGuestGoesOn) {
    configure();
    std::memset(vmm.memory(0).data(), 1, vmm.memory(0).size());
    for (std::size_t i = 0; i < vmm.memory(0).size(); i += 8)  // so that it does not compress well
        vmm.memory(0)[i] = static_cast<std::byte>(i * 2654435761u >> 13);
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    control::v1::Request save, cancel, run;
    save.mutable_save()->set_creator("test");
    save.set_id(1001);
    cancel.mutable_cancel();
    cancel.set_id(1002);
    send_bytes(frame(save.SerializeAsString()), {{ends[1]}});
    char first;
    ASSERT_EQ(read(ends[0], &first, 1), 1);  // it has begun
    send_bytes(frame(cancel.SerializeAsString()));
    std::thread reader([&] {
        std::array<char, 65536> bytes;
        while (read(ends[0], bytes.data(), bytes.size()) > 0) {
        }
    });
    auto next = [this] {
        auto response = receive();
        while (response.id() == 0)
            response = receive();
        return response;
    };
    auto saved = next();
    EXPECT_EQ(saved.id(), 1001u);
    EXPECT_EQ(saved.status().code(), 1u) << saved.status().message();
    EXPECT_EQ(next().state().phase(), control::v1::State::PHASE_PAUSED);
    close(ends[1]);
    reader.join();
    close(ends[0]);
    run.mutable_run();
    EXPECT_EQ(call(run).status().code(), 0u);
    EXPECT_EQ(call(get_state()).state().phase(), control::v1::State::PHASE_RUNNING);
}

TEST_F(ControlTest, EndsWhenTheFrameIsImpossible) {
    send_bytes("\xff\xff\xff\x7f");
    thread.join();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().message, "control socket: a message of 2147483647 bytes");
}

TEST_F(ControlTest, EndsWithSkepd) {
    shutdown(control[0], SHUT_RDWR);
    thread.join();
    EXPECT_TRUE(result);
}

TEST_F(ControlTest, TakesMessagesInPieces) {
    auto request = get_state();
    request.set_id(77);
    for (char c : frame(request.SerializeAsString())) {
        send_bytes(std::string(1, c));
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    EXPECT_EQ(receive().id(), 77u);
}

}  // namespace
}  // namespace skep::guestdev
