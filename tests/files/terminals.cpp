// Pseudo terminals: the line discipline, signals and job control as programs see them.
#include "check.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>

#include <csignal>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>

namespace skep::files_test {

namespace {

struct Pty {
    Pty() {
        int ends[2];
        CHECK(::openpty(&ends[0], &ends[1], nullptr, nullptr, nullptr) == 0);
        master = ends[0], terminal = ends[1];
    }
    ~Pty() {
        ::close(master);
        if (terminal >= 0)
            ::close(terminal);
    }
    void type(std::string_view keys) const {
        CHECK(::write(master, keys.data(), keys.size()) == static_cast<ssize_t>(keys.size()));
    }
    std::string line() const {
        char text[4096];
        const ssize_t size = ::read(terminal, text, sizeof text);
        CHECK(size >= 0);
        return {text, static_cast<std::size_t>(size)};
    }
    // What the master shows, up to what ends it.
    std::string shown(std::string_view end) const {
        std::string all;
        while (!all.ends_with(end)) {
            char text[256];
            const ssize_t size = ::read(master, text, sizeof text);
            if (size <= 0)
                wrong(("shown only: " + all).c_str(), __LINE__, errno);
            all.append(text, static_cast<std::size_t>(size));
        }
        return all;
    }
    int master, terminal;
};

template <typename F>
void change(int terminal, F f) {
    termios settings;
    CHECK(::tcgetattr(terminal, &settings) == 0);
    f(settings);
    CHECK(::tcsetattr(terminal, TCSANOW, &settings) == 0);
}

void pty_names() {
    const Fd master(::posix_openpt(O_RDWR | O_NOCTTY));
    const char* name = ::ptsname(master);
    CHECK(name && std::string_view(name).starts_with("/dev/pts/"));
    CHECK_ERROR(::open(name, O_RDWR | O_NOCTTY), EIO);  // locked
    CHECK(::grantpt(master) == 0 && ::unlockpt(master) == 0);
    const Fd terminal(::open(name, O_RDWR | O_NOCTTY));
    CHECK(::isatty(terminal) == 1 && std::string_view(::ttyname(terminal)) == name);
    const Pty other;
    CHECK(std::string(::ptsname(other.master)) != ::ttyname(terminal));
    winsize size;
    CHECK(::ioctl(terminal, TIOCGWINSZ, &size) == 0 && size.ws_row == 0 && size.ws_col == 0);
    CHECK_ERROR(::tcgetpgrp(terminal), ENOTTY);
}

void pty_canonical() {
    const Pty pty;
    pty.type("hello\n");
    CHECK(pty.line() == "hello\n" && pty.shown("\n") == "hello\r\n");
    pty.type("one\ntwo\n");
    CHECK(pty.line() == "one\n" && pty.line() == "two\n");
    (void)pty.shown("two\r\n");
    pty.type(
        "wrong\x7f\x7f\x7fit\x17"
        "right way\x15"
        "again\r");
    CHECK(pty.line() == "again\n");
    (void)pty.shown("again\r\n");
    pty.type("part\x04");
    CHECK(pty.line() == "part");
    pty.type("\x04");
    CHECK(pty.line().empty());
    (void)pty.shown("part");
    pty.type("\x16\x03\n");  // ^V makes ^C a letter
    CHECK(pty.line() == "\x03\n");
    (void)pty.shown("\n");
    CHECK(::write(pty.terminal, "a\nb\tc\n", 6) == 6 && pty.shown("c\r\n") == "a\r\nb\tc\r\n");
    change(pty.terminal, [](termios& t) { t.c_lflag &= ~static_cast<tcflag_t>(ECHO); });
    pty.type("silent\n");
    CHECK(pty.line() == "silent\n");
    int waiting = -1;
    CHECK(::ioctl(pty.master, FIONREAD, &waiting) == 0 && waiting == 0);
    // A read smaller than the line leaves the rest.
    pty.type("abcdef\n");
    char few[4];
    CHECK(::read(pty.terminal, few, 4) == 4 && std::string_view(few, 4) == "abcd" &&
          pty.line() == "ef\n");
    pty.type("gone\n");
    CHECK(::tcflush(pty.terminal, TCIFLUSH) == 0);
    CHECK(::fcntl(pty.terminal, F_SETFL, O_NONBLOCK) == 0);
    char byte;
    CHECK_ERROR(::read(pty.terminal, &byte, 1), EAGAIN);
}

void pty_raw() {
    const Pty pty;
    change(pty.terminal, [](termios& t) { ::cfmakeraw(&t); });
    std::string all;
    for (int i = 0; i < 256; i++)
        all += static_cast<char>(i);
    pty.type(all);
    std::string got;
    while (got.size() < all.size())
        got += pty.line();
    CHECK(got == all);
    CHECK(::write(pty.terminal, "\n", 1) == 1 && pty.shown("\n") == "\n");
    change(pty.terminal, [](termios& t) { t.c_cc[VMIN] = 0, t.c_cc[VTIME] = 0; });
    CHECK(pty.line().empty());
    change(pty.terminal, [](termios& t) { t.c_cc[VMIN] = 0, t.c_cc[VTIME] = 1; });
    CHECK(pty.line().empty());
    change(pty.terminal, [](termios& t) { t.c_cc[VMIN] = 5, t.c_cc[VTIME] = 0; });
    std::thread typist([&] {
        for (const char* keys : {"a", "b", "c", "d", "e"})
            pty.type(keys);
    });
    CHECK(pty.line() == "abcde");
    typist.join();
}

// A quarter of a megabyte each way through 4 KiB of input and a bounded output, with a slow reader
// on either side.
void pty_flow() {
    constexpr std::size_t kSize = 1 << 18;
    const Pty pty;
    change(pty.terminal, [](termios& t) { ::cfmakeraw(&t); });
    for (const auto& [from, to] :
         {std::pair{pty.terminal, pty.master}, std::pair{pty.master, pty.terminal}}) {
        std::thread writer([from = from] {
            std::string text(4096, 'x');
            for (std::size_t i = 0; i < text.size(); i++)
                text[i] = static_cast<char>('a' + i % 26);
            for (std::size_t done = 0; done < kSize;) {
                const ssize_t size = ::write(from, text.data() + done % text.size(),
                                             text.size() - done % text.size());
                CHECK(size > 0);
                done += static_cast<std::size_t>(size);
            }
        });
        for (std::size_t done = 0; done < kSize;) {
            char text[777];
            const ssize_t size = ::read(to, text, std::min(sizeof text, kSize - done));
            CHECK(size > 0);
            for (std::size_t i = 0; i < static_cast<std::size_t>(size); i++, done++)
                CHECK(text[i] == static_cast<char>('a' + done % 4096 % 26));
        }
        writer.join();
    }
    // Nobody reads: writers are told so. Linux moves what was written in the background and has
    // room again for a while.
    CHECK(::fcntl(pty.terminal, F_SETFL, O_NONBLOCK) == 0);
    std::string much(1 << 16, 'y');
    pollfd one{pty.terminal, POLLOUT, 0};
    do {
        ssize_t size;
        while ((size = ::write(pty.terminal, much.data(), much.size())) > 0) {
        }
        CHECK(size == -1 && errno == EAGAIN);
    } while (::poll(&one, 1, 200) == 1);
    pollfd readable{pty.master, POLLIN, 0};
    do {
        char text[4096];
        CHECK(::read(pty.master, text, sizeof text) > 0);
    } while (::poll(&readable, 1, 200) == 1);
    CHECK(::poll(&one, 1, 60000) == 1 && one.revents == POLLOUT);
}

void pty_close() {
    Pty pty;
    CHECK(::write(pty.terminal, "last words", 10) == 10);
    ::close(pty.terminal);
    pty.terminal = -1;
    pollfd one{pty.master, POLLIN, 0};
    CHECK(::poll(&one, 1, 60000) == 1 && one.revents == (POLLIN | POLLHUP));
    CHECK(pty.shown("words") == "last words");
    char byte;
    CHECK_ERROR(::read(pty.master, &byte, 1), EIO);
    CHECK(::poll(&one, 1, 0) == 1 && one.revents == POLLHUP);
    // It can be opened again.
    const Fd again(::open(::ptsname(pty.master), O_RDWR | O_NOCTTY));
    pty.type("x\n");
    CHECK(::read(again, &byte, 1) == 1 && byte == 'x');
    // The master goes: the terminal is at its end.
    Pty other;
    ::close(other.master);
    other.master = ::dup(0);
    CHECK(::read(other.terminal, &byte, 1) == 0);
    CHECK_ERROR(::write(other.terminal, "x", 1), EIO);
    pollfd gone{other.terminal, POLLIN, 0};
    CHECK(::poll(&gone, 1, 0) == 1 && (gone.revents & POLLHUP));
}

// A session of its own on a new terminal; `body` runs as its leader, with the terminal as 0, 1
// and 2.
struct Session {
    template <typename F>
    explicit Session(F body) {
        leader = ::forkpty(&master, nullptr, nullptr, nullptr);
        CHECK(leader >= 0);
        if (leader == 0) {
            ::alarm(120);
            try {
                body();
            } catch (const std::exception& error) {
                ::dprintf(1, "failed: %s\n", error.what());
                ::_exit(99);
            }
            ::_exit(0);
        }
    }
    ~Session() {
        ::kill(leader, SIGKILL);
        if (!reaped)
            ::waitpid(leader, nullptr, 0);
        ::close(master);
    }
    std::string until(std::string_view end) {
        while (text.find(end) == text.npos) {
            char more[256];
            const ssize_t size = ::read(master, more, sizeof more);
            if (size <= 0)
                wrong(("shown only: " + text).c_str(), __LINE__, errno);
            text.append(more, static_cast<std::size_t>(size));
        }
        const auto at = text.find(end) + end.size();
        std::string all = text.substr(0, at);
        text.erase(0, at);
        return all;
    }
    void type(std::string_view keys) const {
        CHECK(::write(master, keys.data(), keys.size()) == static_cast<ssize_t>(keys.size()));
    }
    int status() {
        int status;
        CHECK(::waitpid(leader, &status, 0) == leader);
        reaped = true;
        return status;
    }
    int master = -1;
    pid_t leader = -1;
    bool reaped = false;
    std::string text;
};

void say(const char* text) {
    CHECK(::write(1, text, std::strlen(text)) == static_cast<ssize_t>(std::strlen(text)));
}

void pty_signals() {
    for (const auto& [key, signal] : {std::pair{"\x03", SIGINT}, std::pair{"\x1c", SIGQUIT}}) {
        Session session([] {
            CHECK(::getsid(0) == ::getpid() && ::tcgetpgrp(0) == ::getpid() &&
                  ::tcgetsid(0) == ::getpid());
            const Fd own(::open("/dev/tty", O_RDWR));
            CHECK(::tcgetpgrp(own) == ::getpid());
            say("ready\n");
            for (;;)
                ::pause();
        });
        session.until("ready\r\n");
        session.type(key);
        const int status = session.status();
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == signal);
    }
    // Without ISIG it is a letter.
    Session session([] {
        change(0, [](termios& t) { t.c_lflag &= ~static_cast<tcflag_t>(ISIG | ICANON); });
        say("ready\n");
        char byte;
        CHECK(::read(0, &byte, 1) == 1 && byte == 3);
    });
    session.until("ready\r\n");
    session.type("\x03");
    CHECK(session.status() == 0);
}

void pty_window() {
    Session session([] {
        static winsize seen;
        std::signal(SIGWINCH, [](int) { (void)::ioctl(0, TIOCGWINSZ, &seen); });
        sigset_t winch, none;
        sigemptyset(&none);
        sigemptyset(&winch);
        sigaddset(&winch, SIGWINCH);
        CHECK(::sigprocmask(SIG_BLOCK, &winch, nullptr) == 0);
        say("ready\n");
        ::sigsuspend(&none);
        CHECK(seen.ws_row == 50 && seen.ws_col == 132);
    });
    session.until("ready\r\n");
    const winsize size{50, 132, 0, 0};
    CHECK(::ioctl(session.master, TIOCSWINSZ, &size) == 0);
    CHECK(session.status() == 0);
}

// What a shell does: groups, the foreground, a stop from the keyboard, a background reader,
// continuing.
void pty_job_control() {
    Session session([] {
        std::signal(SIGTTOU, SIG_IGN);
        const pid_t job = ::fork();
        if (job == 0) {
            ::setpgid(0, 0);
            std::signal(SIGTTOU, SIG_DFL);
            char byte;  // from the background: SIGTTIN
            const bool fine = ::read(0, &byte, 1) == 1 && byte == 'g';
            say(fine ? "job read\n" : "job failed\n");
            for (;;)
                ::pause();
        }
        ::setpgid(job, job);
        int status;
        CHECK(::waitpid(job, &status, WUNTRACED) == job && WIFSTOPPED(status) &&
              WSTOPSIG(status) == SIGTTIN);
        CHECK(::tcsetpgrp(0, job) == 0 && ::tcgetpgrp(0) == job);
        say("in front\n");
        CHECK(::kill(-job, SIGCONT) == 0);
        CHECK(::waitpid(job, &status, WCONTINUED) == job && WIFCONTINUED(status));
        say("continued\n");  // a stop before this was waited for would take its place
        CHECK(::waitpid(job, &status, WUNTRACED) == job && WIFSTOPPED(status) &&
              WSTOPSIG(status) == SIGTSTP);
        CHECK(::tcsetpgrp(0, ::getpgrp()) == 0);
        say("stopped\n");
        CHECK(::kill(-job, SIGCONT) == 0 && ::tcsetpgrp(0, job) == 0);
        say("again\n");
        CHECK(::waitpid(job, &status, 0) == job && WIFSIGNALED(status) &&
              WTERMSIG(status) == SIGINT);
        // A group that is nobody's, or another session's, cannot have the terminal.
        CHECK(::tcsetpgrp(0, ::getpgrp()) == 0);
        CHECK(::tcsetpgrp(0, job) == -1 && (errno == ESRCH || errno == EPERM));
    });
    session.until("in front\r\n");
    session.until("continued\r\n");
    session.type("g\n");
    session.until("job read\r\n");
    session.type("\x1a");
    session.until("stopped\r\n");
    session.until("again\r\n");
    session.type("\x03");
    CHECK(session.status() == 0);
}

void pty_hangup() {
    Session session([] {
        say("ready\n");
        for (;;)
            ::pause();
    });
    session.until("ready\r\n");
    ::close(session.master);
    session.master = ::dup(0);
    const int status = session.status();
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGHUP);
}

// As script(1) does it: a shell at a terminal, and the record of what it showed.
void pty_script() {
    Session session([] {
        ::setenv("PS1", "% ", 1);
        ::unsetenv("ENV");
        ::execl("/bin/sh", "sh", nullptr);
    });
    change(session.master, [](termios& t) { t.c_lflag &= ~static_cast<tcflag_t>(ECHO); });
    session.until("% ");
    session.type("stty rows 30 cols 90; stty size; test -t 0 && echo terminal; echo $((6 * 7))\n");
    CHECK(session.until("42\r\n").find("30 90\r\nterminal\r\n") != std::string::npos);
    session.until("% ");
    session.type("cat\n");
    session.type("line\n");
    session.until("line\r\n");
    session.type("\x04");
    session.until("% ");
    session.type("exit 3\n");
    const int status = session.status();
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3);
}

// ^C and ^Z reach the children that a program is just making: none of the group is left behind.
void group_signals() {
    CHECK(::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    for (int round = 0; round < 20; round++) {
        const pid_t group = ::fork();
        CHECK(group >= 0);
        if (group == 0) {
            ::setpgid(0, 0);
            for (int children = 0; children < 200; children++)
                if (::fork() == 0)
                    for (;;)
                        ::pause();
            for (;;)
                ::pause();
        }
        ::setpgid(group, group);
        ::usleep(static_cast<useconds_t>(500 * (round + 1)));
        CHECK(::kill(-group, SIGTERM) == 0);
        // Whoever is left would be waited for in vain.
        bool gone = false;
        for (int looks = 0; !gone && looks < 6000; looks++) {
            pid_t ended;
            while ((ended = ::waitpid(-1, nullptr, WNOHANG)) > 0) {
            }
            gone = ended == -1 && errno == ECHILD;
            if (!gone)
                ::usleep(10000);
        }
        if (!gone)
            ::kill(-group, SIGKILL);
        CHECK(gone);
    }
}

}  // namespace

const Case terminal_cases[] = {
    {"pty_names", pty_names},
    {"pty_canonical", pty_canonical},
    {"pty_raw", pty_raw},
    {"pty_flow", pty_flow},
    {"pty_close", pty_close},
    {"pty_signals", pty_signals},
    {"pty_window", pty_window},
    {"pty_job_control", pty_job_control},
    {"pty_hangup", pty_hangup},
    {"pty_script", pty_script},
    {"group_signals", group_signals},
};
const unsigned terminal_case_count = std::size(terminal_cases);

}  // namespace skep::files_test
