// The log: lines on COM1 (115200 8N1) and on a text screen, each opened by "hv: ". After the root
// domain has started both are its own: hv writes to the port what somebody must know, and to the
// screen why it ends.
#pragma once

#include "hv/lib/format.hpp"
#include "hv/lib/spinlock.hpp"

#include <atomic>

namespace skep::hv {

// Serial port and screen.
class LogSink final : public Sink {
  public:
    void put(char c) override;
};

class SerialSink final : public Sink {
  public:
    void put(char c) override;
};

void init_serial();
extern Spinlock log_lock;
// A CPU has panicked: whoever holds the lock may never give it back.
extern std::atomic<bool> stopping;

template <class... Arguments>
void write_line(std::string_view pattern, const Arguments&... arguments) {
    LogSink sink;
    format(sink, "hv: ");
    format(sink, pattern, arguments...);
    sink.put('\n');
}

template <class... Arguments>
void log(std::string_view pattern, const Arguments&... arguments) {
    if (stopping)
        return write_line(pattern, arguments...);
    auto guard = log_lock.lock();
    write_line(pattern, arguments...);
}

}  // namespace skep::hv
