// Lines typed on the console, without waiting for them.
#pragma once

#include <optional>
#include <string>

namespace skep::guest {

class Console {
  public:
    // Turns the echo off: it would fall into the middle of what the program prints.
    Console();
    // A whole line that has come within this time, if one has.
    std::optional<std::string> line(int timeout_ms);

  private:
    std::string pending_;
};

}  // namespace skep::guest
