// A QEMU of the peer's measurement: its guest's console, and its monitor (QMP).
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace skep::bench {

class Qemu {
  public:
    // Starts it with these arguments added. Whatever goes wrong ends the program: a benchmark
    // without figures.
    explicit Qemu(const std::vector<std::string>& arguments);

    // Until the guest has printed this.
    void wait_for(const std::string& text);

    // Connects to the monitor, once QEMU offers it.
    void open_monitor();

    // Sends a command, with a file descriptor if it is not -1, and waits until the monitor has
    // printed `answer`.
    void command(const std::string& json, const std::string& answer, int fd = -1);

    // All that the monitor has printed since the last command.
    const std::string& answer() const { return answered_; }

    // Until the monitor has printed this, which may have come with an earlier answer.
    void wait_for_event(const std::string& text);

    // Ends it and waits.
    void quit();

  private:
    // Reads what the console and the monitor have; waits for at least something.
    void pump();

    pid_t process_ = -1;
    int console_ = -1;
    int monitor_ = -1;
    std::string printed_;
    std::string answered_;
};

}  // namespace skep::bench
