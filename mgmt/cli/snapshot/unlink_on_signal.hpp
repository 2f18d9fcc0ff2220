// Removes a half-written file when the user breaks the program off (Ctrl-C).
#pragma once

#include <signal.h>
#include <unistd.h>

#include <string>

namespace skep::mgmt::cli {

// Holds these signals back while a file is made and its removal is not arranged yet.
class SignalsHeld {
  public:
    SignalsHeld() {
        sigset_t held;
        ::sigemptyset(&held);
        for (int number : {SIGINT, SIGTERM, SIGHUP})
            ::sigaddset(&held, number);
        ::sigprocmask(SIG_BLOCK, &held, &before_);
    }
    ~SignalsHeld() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }
    SignalsHeld(const SignalsHeld&) = delete;
    SignalsHeld& operator=(const SignalsHeld&) = delete;

  private:
    sigset_t before_;
};

// One at a time: the handler needs the path where it can find it.
class UnlinkOnSignal {
  public:
    explicit UnlinkOnSignal(std::string path) : path_(std::move(path)) {
        current() = path_.c_str();
        struct sigaction action {};
        action.sa_handler = handle;
        action.sa_flags =
            static_cast<int>(SA_RESETHAND);  // the second time the signal does its work
        for (int number : kSignals)
            ::sigaction(number, &action, nullptr);
    }
    ~UnlinkOnSignal() {
        for (int number : kSignals)
            ::signal(number, SIG_DFL);
        current() = nullptr;
    }
    UnlinkOnSignal(const UnlinkOnSignal&) = delete;
    UnlinkOnSignal& operator=(const UnlinkOnSignal&) = delete;

  private:
    static constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
    static const char*& current() {
        static const char* path = nullptr;
        return path;
    }
    static void handle(int number) {
        if (const char* path = current())
            ::unlink(path);
        ::raise(number);
    }

    std::string path_;
};

}  // namespace skep::mgmt::cli
