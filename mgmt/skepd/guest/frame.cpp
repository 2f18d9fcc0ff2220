#include "mgmt/skepd/guest/frame.hpp"

namespace skep::mgmt {
namespace {

Error too_large(std::uint64_t size) {
    return {Code::OutOfRange, "CONTROL_FRAME_TOO_LARGE",
            "a control message of " + std::to_string(size) + " bytes is over the limit of " +
                std::to_string(kMaxFrame)};
}

}  // namespace

Result<std::string> make_frame(std::string_view message) {
    if (message.size() > kMaxFrame)
        return fail(too_large(message.size()));
    std::string frame;
    frame.reserve(4 + message.size());
    for (unsigned shift = 0; shift < 32; shift += 8)
        frame += static_cast<char>(message.size() >> shift & 0xff);
    return frame.append(message);
}

Result<std::optional<std::string>> FrameReader::next() {
    if (buffer_.size() < 4)
        return std::nullopt;
    std::uint32_t size = 0;
    for (unsigned i = 0; i < 4; ++i)
        size |= static_cast<std::uint32_t>(static_cast<unsigned char>(buffer_[i])) << (8 * i);
    if (size > kMaxFrame)
        return fail(too_large(size));
    if (buffer_.size() - 4 < size)
        return std::nullopt;
    auto message = buffer_.substr(4, size);
    buffer_.erase(0, 4 + std::size_t{size});
    return message;
}

}  // namespace skep::mgmt
