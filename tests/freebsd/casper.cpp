// What libcasper and libcapsicum do in cat, head, tail, wc, strings and others from FreeBSD 12 on:
// a process behind a process descriptor, asked over a socket that passes descriptors by libnv(9).
#include "system.hpp"

namespace bsd {
namespace {

constexpr int kUnix = 1, kStream = 1, kNonblock = 0x2000'0000, kSolSocket = 0xffff;
constexpr int kRights = 1, kCredentials = 3, kCloseOnExec = 0x40000;

struct Segment {
    void* base;
    std::uint64_t size;
};
struct Message {
    void* name;
    std::uint32_t name_size;
    Segment* segments;
    std::int32_t segment_count;
    void* control;
    std::uint32_t control_size;
    std::int32_t flags;
};
struct Control {  // with one int, and room after it
    std::uint32_t size;
    std::int32_t level, type, padding;
    std::int32_t descriptor, padding2;
};
static_assert(sizeof(Control) == 24);

// select(2) first: the sockets do not block.
void wait_for(int descriptor, bool to_read) {
    std::uint64_t set[16] = {};
    set[descriptor / 64] = std::uint64_t{1} << descriptor % 64;
    sys(93, descriptor + 1, to_read ? set : nullptr, to_read ? nullptr : set, 0, 0);
}
long send_with(int socket, void* control, std::uint32_t size) {
    char byte = 0;
    Segment segment{&byte, 1};
    const Message message{nullptr, 0, &segment, 1, control, size, 0};
    wait_for(socket, false);
    return sys(28, socket, &message, 0);
}
long receive_with(int socket, void* control, std::uint32_t& size) {
    char byte = 0;
    Segment segment{&byte, 1};
    Message message{nullptr, 0, &segment, 1, control, size, 0};
    wait_for(socket, true);
    const long got = sys(27, socket, &message, kCloseOnExec);
    size = message.control_size;
    return got;
}

// The zygote's answer: the service's socket and its process descriptor, each in a control message
// of its own, which the receiver counts.
[[noreturn]] void serve(int socket) {
    char request[8] = {};
    for (std::uint64_t had = 0; had < sizeof request;) {
        wait_for(socket, true);
        const long got = sys(29, socket, request + had, sizeof request - had, 0, 0, 0);
        if (got <= 0)
            exit_with(1);
        had += static_cast<std::uint64_t>(got);
    }
    std::int32_t channel[2], process = -1;
    if (!equal(request, "service") || sys(135, kUnix, kStream | kNonblock, 0, channel) != 0)
        exit_with(2);
    const auto service = call(518, &process, 0);
    if (!service.failed && service.value == 0) {
        sys(6, channel[0]);
        const long opened = sys(5, "/dev/zero", 0, 0);
        Control control{20, kSolSocket, kRights, 0, static_cast<std::int32_t>(opened), 0};
        send_with(channel[1], &control, sizeof control);
        char byte;
        wait_for(channel[1], true);
        exit_with(sys(29, channel[1], &byte, 1, 0, 0, 0) == 0 ? 0 : 3);  // until it is closed
    }
    Control both[2] = {{20, kSolSocket, kRights, 0, channel[0], 0},
                       {20, kSolSocket, kRights, 0, process, 0}};
    exit_with(send_with(socket, both, sizeof both) == 1 ? 0 : 4);
}

bool a_service() {
    std::int32_t pair[2];
    EXPECT_CALL(sys(135, kUnix, kStream | kNonblock, 0, pair), 0);
    std::int32_t zygote = -1;
    const auto made = call(518, &zygote, 0);
    EXPECT(!made.failed);
    if (made.value == 0) {
        sys(6, pair[0]);
        serve(pair[1]);
    }
    EXPECT_CALL(sys(6, pair[1]), 0);
    wait_for(pair[0], false);
    EXPECT_CALL(sys(133, pair[0], "service", 8, 0, 0, 0), 8);
    Control got[2] = {};
    std::uint32_t size = sizeof got;
    EXPECT_CALL(receive_with(pair[0], got, size), 1);
    EXPECT_CALL(size, sizeof got);
    for (const Control& control : got) {
        EXPECT(control.size == 20 && control.level == kSolSocket && control.type == kRights);
        EXPECT_CALL(sys(92, control.descriptor, 1), 1);  // FD_CLOEXEC
    }
    const std::int32_t channel = got[0].descriptor, service = got[1].descriptor;
    Control file{};
    size = sizeof file;
    EXPECT_CALL(receive_with(channel, &file, size), 1);
    EXPECT_CALL(size, sizeof file);
    char byte = 1;
    EXPECT_CALL(sys(3, file.descriptor, &byte, 1), 1);
    EXPECT_CALL(byte, 0);
    std::int32_t id = 0;
    EXPECT_CALL(sys(520, service, &id), 0);  // pdgetpid, of a descriptor that came by message
    EXPECT(id > 0 && id != sys(20));
    EXPECT_CALL(sys(6, channel), 0);
    EXPECT_CALL(sys(6, service), 0);
    EXPECT_CALL(sys(6, file.descriptor), 0);
    std::int32_t status = -1;
    EXPECT_CALL(sys(7, made.value, &status, 0, 0), made.signed_value());
    EXPECT_CALL(status, 0);
    EXPECT_CALL(sys(6, zygote), 0);
    EXPECT_CALL(sys(6, pair[0]), 0);
    return true;
}

// cred_send(): the sender's word is not taken, the kernel writes it.
bool credentials() {
    struct {
        std::uint32_t size;
        std::int32_t level, type, padding;
        std::int32_t process;
        std::uint32_t user, effective_user, group;
        std::int16_t group_count, padding2;
        std::uint32_t groups[16], padding3;
    } control{16 + 84, kSolSocket, kCredentials, 0, 0, 99, 99, 99, 0, 0, {}, 0};
    static_assert(sizeof control == 104);
    std::int32_t pair[2];
    EXPECT_CALL(sys(135, kUnix, kStream, 0, pair), 0);
    EXPECT_CALL(send_with(pair[0], &control, sizeof control), 1);
    control = {};
    std::uint32_t size = sizeof control;
    EXPECT_CALL(receive_with(pair[1], &control, size), 1);
    EXPECT(control.size == 100 && control.type == kCredentials);
    EXPECT(control.process == sys(20) && control.user == sys(24) && control.group_count == 1);
    EXPECT_CALL(sys(6, pair[0]), 0);
    EXPECT_CALL(sys(6, pair[1]), 0);
    return true;
}

// caph_enter(3) and its kin take ENOSYS for a kernel without, and go on.
bool no_capability_mode() {
    EXPECT_CALL(sys(516), -kEnosys);  // cap_enter
    std::uint64_t rights[2] = {};
    EXPECT_CALL(sys(533, 0, rights), -kEnosys);  // cap_rights_limit
    EXPECT_CALL(sys(534, 0, rights, 1), -kEnosys);
    EXPECT_CALL(sys(536, 0, 0), -kEnosys);
    return true;
}

}  // namespace

void casper_cases() {
    const Case cases[] = {
        {"casper_service", a_service},
        {"casper_credentials", credentials},
        {"no_capability_mode", no_capability_mode},
    };
    run_cases(cases, sizeof cases / sizeof cases[0]);
}

}  // namespace bsd
