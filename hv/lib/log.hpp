// The log: lines on COM1 (115200 8N1), each opened by "hv: ". After the root domain has started the
// port is its own, and hv writes only what somebody must know.
#pragma once

#include "hv/lib/format.hpp"
#include "hv/lib/spinlock.hpp"

#include <atomic>

namespace skep::hv {

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
    SerialSink sink;
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
