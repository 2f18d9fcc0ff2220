// A bzImage that is none: a header as the boot protocol wants it, and a few bytes of code.
#pragma once

#include <guestdev/boot/linux_boot.hpp>

#include <cstring>
#include <vector>

namespace skep::guestdev {

class MemoryImage final : public ImageSource {
  public:
    explicit MemoryImage(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}
    Result<std::uint64_t> size() const override { return bytes_.size(); }
    Status read(std::uint64_t offset, std::span<std::byte> target) const override {
        if (offset + target.size() > bytes_.size())
            return fail(Code::InvalidArgument, "image is too short");
        std::memcpy(target.data(), bytes_.data() + offset, target.size());
        return {};
    }

  private:
    std::vector<std::byte> bytes_;
};

// Wants to be at 16 MiB and 4 MiB there.
inline std::vector<std::byte> test_kernel() {
    std::vector<std::byte> bytes(4096);
    auto put = [&](unsigned offset, auto value) {
        std::memcpy(&bytes[offset], &value, sizeof value);
    };
    put(0x1f1, std::uint8_t{1});
    put(0x1fe, std::uint16_t{0xaa55});
    put(0x200, std::uint16_t{0x6aeb});
    put(0x202, std::uint32_t{0x53726448});
    put(0x206, std::uint16_t{0x020f});
    put(0x22c, std::uint32_t{0x7fff'ffff});
    put(0x236, std::uint16_t{1});
    put(0x238, std::uint32_t{255});
    put(0x258, std::uint64_t{16 << 20});
    put(0x260, std::uint32_t{4 << 20});
    put(1024, std::uint32_t{0xfeedf00d});
    return bytes;
}

}  // namespace skep::guestdev
