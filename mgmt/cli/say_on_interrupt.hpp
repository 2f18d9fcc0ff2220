// Says something before Ctrl-C ends the program.
#pragma once

#include <signal.h>
#include <unistd.h>

#include <string>

namespace skep::mgmt::cli {

// One at a time: the handler needs the text where it can find it.
class SayOnInterrupt {
  public:
    explicit SayOnInterrupt(std::string text) : text_(std::move(text)) {
        current() = &text_;
        struct sigaction action {};
        action.sa_handler = handle;
        action.sa_flags = static_cast<int>(SA_RESETHAND);  // raised again, it does its work
        ::sigaction(SIGINT, &action, &before_);
        if (before_.sa_handler == SIG_IGN)
            ::sigaction(SIGINT, &before_, nullptr);
    }
    ~SayOnInterrupt() {
        ::sigaction(SIGINT, &before_, nullptr);
        current() = nullptr;
    }
    SayOnInterrupt(const SayOnInterrupt&) = delete;
    SayOnInterrupt& operator=(const SayOnInterrupt&) = delete;

  private:
    static const std::string*& current() {
        static const std::string* text = nullptr;
        return text;
    }
    static void handle(int number) {
        if (const auto* text = current())
            (void)!::write(STDERR_FILENO, text->data(), text->size());
        ::raise(number);
    }

    std::string text_;
    struct sigaction before_ {};
};

}  // namespace skep::mgmt::cli
