// The console as a terminal: sys/ttycom.h, sys/_termios.h, sys/filio.h.
#include "system.hpp"

#include <initializer_list>

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

// stty(1) ends without the line discipline; csh(1) pushes characters back. Into a terminal of its
// own, whose other side reads nothing.
bool line_discipline() {
    const long master = sys(504, 2 | 0x8000);  // posix_openpt(O_RDWR | O_NOCTTY)
    EXPECT(master >= 0);
    char name[64] = "/dev/";
    const struct {
        std::int32_t size, padding;
        char* buffer;
    } request{sizeof name - 5, 0, name + 5};
    EXPECT_CALL(sys(54, master, kName, &request), 0);
    const long tty = sys(5, name, 2 | 0x8000, 0);
    EXPECT(tty >= 0);
    std::int32_t discipline = 9;
    EXPECT_CALL(sys(54, tty, 0x4004741a, &discipline), 0);  // TIOCGETD
    EXPECT_CALL(discipline, 0);                             // TTYDISC
    EXPECT_CALL(sys(54, tty, 0x8004741b, &discipline), 0);  // TIOCSETD
    for (const char byte : {'h', 'i', '\n'})
        EXPECT_CALL(sys(54, tty, 0x80017472, &byte), 0);  // TIOCSTI
    char line[8] = {};
    EXPECT_CALL(sys(3, tty, line, sizeof line), 3);
    EXPECT(equal(line, "hi\n"));
    EXPECT_CALL(sys(56, name), 0);  // revoke
    EXPECT_CALL(sys(56, "/root"), -kEinval);
    sys(6, tty);
    sys(6, master);
    return true;
}

}  // namespace

void terminal_cases() {
    const Case cases[] = {
        {"termios", settings}, {"ttyname", names}, {"line_discipline", line_discipline}};
    run_cases(cases, sizeof cases / sizeof cases[0]);
}

}  // namespace bsd
