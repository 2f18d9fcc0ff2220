// Cases of skep-files-test: functions that throw at the first thing that is not as Linux has it.
#pragma once

#include <unistd.h>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

namespace skep::files_test {

struct Case {
    const char* name;
    void (*run)();
};

[[noreturn]] inline void wrong(const char* what, int line, int error) {
    throw std::runtime_error(std::string(what) + ", line " + std::to_string(line) + ", errno " +
                             std::to_string(error) + " " + std::strerror(error));
}

// The condition holds.
#define CHECK(condition)                                            \
    do {                                                            \
        if (!(condition))                                           \
            ::skep::files_test::wrong(#condition, __LINE__, errno); \
    } while (0)
// The call fails with this error.
#define CHECK_ERROR(call, error)                                             \
    do {                                                                     \
        errno = 0;                                                           \
        if ((call) != -1 || errno != (error))                                \
            ::skep::files_test::wrong(#call " as " #error, __LINE__, errno); \
    } while (0)

class Fd {
  public:
    explicit Fd(int fd) : fd_(fd) {
        if (fd < 0)
            wrong("a descriptor", 0, errno);
    }
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    ~Fd() { reset(); }
    operator int() const { return fd_; }
    void reset() {
        if (fd_ >= 0)
            ::close(fd_);
        fd_ = -1;
    }

  private:
    int fd_;
};

// A folder of its own, emptied at the end.
class Folder {
  public:
    Folder();
    ~Folder();
    std::string operator/(const std::string& name) const { return path_ + "/" + name; }
    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

// Runs `body` in a child, whose exit status it returns (200: it threw, 128 + N: signal N).
int in_child(void (*body)(void*), void* argument);
template <typename F>
int in_child(F f) {
    return in_child([](void* argument) { (*static_cast<F*>(argument))(); }, &f);
}

extern const Case file_cases[], memory_cases[], event_cases[], socket_cases[], terminal_cases[],
    process_cases[], timer_cases[], scheduling_cases[], robust_cases[];
extern const unsigned file_case_count, memory_case_count, event_case_count, socket_case_count,
    terminal_case_count, process_case_count, timer_case_count, scheduling_case_count,
    robust_case_count;

}  // namespace skep::files_test
