// The console as a terminal: sys/ttycom.h, sys/_termios.h, sys/filio.h.
#include "system.hpp"

namespace bsd {
namespace {

struct Termios {
    std::uint32_t input, output, control, local;
    std::uint8_t characters[20];
    std::uint32_t input_speed, output_speed;
};
static_assert(sizeof(Termios) == 44);
enum : std::uint32_t {
    kGet = 0x402c7413,
    kSet = 0x802c7414,
    kWindow = 0x40087468,
    kGetGroup = 0x40047477,
    kName = 0x80106678,
    kType = 0x4004667a
};

long console() {
    return sys(5, "/dev/console", 2 | 0x8000, 0);  // O_RDWR | O_NOCTTY
}

bool settings() {
    const long tty = console();
    EXPECT(tty >= 0);
    Termios old{};
    EXPECT_CALL(sys(54, tty, kGet, &old), 0);
    EXPECT(old.local & 0x100);  // ICANON
    EXPECT(old.characters[0] == 4 && old.characters[8] == 3 &&
           old.output_speed > 0);  // VEOF, VINTR
    Termios changed = old;
    changed.local &= ~8u;  // ECHO
    EXPECT_CALL(sys(54, tty, kSet, &changed), 0);
    Termios seen{};
    EXPECT_CALL(sys(54, tty, kGet, &seen), 0);
    EXPECT(!(seen.local & 8));
    EXPECT_CALL(sys(54, tty, kSet, &old), 0);
    std::uint16_t size[4];
    EXPECT_CALL(sys(54, tty, kWindow, size), 0);
    sys(6, tty);
    return true;
}

// isatty(3) and ttyname(3).
bool names() {
    const long tty = console();
    char name[64] = {};
    const struct {
        std::int32_t size, padding;
        char* buffer;
    } request{sizeof name, 0, name};
    EXPECT_CALL(sys(54, tty, kName, &request), 0);
    EXPECT(equal(name, "console"));
    std::int32_t type = 0;
    EXPECT_CALL(sys(54, tty, kType, &type), 0);
    EXPECT_CALL(type, 4);  // D_TTY
    sys(6, tty);
    const long file = sys(5, "/dev/null", 2, 0);
    Termios none{};
    EXPECT_CALL(sys(54, file, kGet, &none), -kEnotty);
    sys(6, file);
    return true;
}

}  // namespace

void terminal_cases() {
    const Case cases[] = {{"termios", settings}, {"ttyname", names}};
    run_cases(cases, sizeof cases / sizeof cases[0]);
}

}  // namespace bsd
