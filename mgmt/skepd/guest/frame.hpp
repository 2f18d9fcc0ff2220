// The framing of the control socket (proto/skep/control/v1/control.proto): each message after its
// length, uint32 little endian, at most 1 MiB.
#pragma once

#include "mgmt/common/error.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace skep::mgmt {

inline constexpr std::uint32_t kMaxFrame = 1 << 20;

// Length and message. `message` is at most kMaxFrame.
Result<std::string> make_frame(std::string_view message);

// Bytes as they come in, messages as they are complete.
class FrameReader {
  public:
    void feed(std::string_view bytes) { buffer_ += bytes; }
    // The next whole message; none yet; or OUT_OF_RANGE, after which the stream cannot be followed
    // any more.
    Result<std::optional<std::string>> next();

  private:
    std::string buffer_;
};

}  // namespace skep::mgmt
