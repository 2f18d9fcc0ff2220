// Loads a Linux bzImage and prepares the state of its 64-bit boot protocol (Linux,
// Documentation/x86/boot.rst).
#pragma once

#include <guestdev/core/error.hpp>
#include <guestdev/core/memory.hpp>

#include <hv/abi/vcpu.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace skep::guestdev {

// Bytes of an image, which are read straight into the guest's memory.
class ImageSource {
  public:
    virtual ~ImageSource() = default;
    virtual Result<std::uint64_t> size() const = 0;
    // All of `target`; an error if the image is shorter.
    virtual Status read(std::uint64_t offset, std::span<std::byte> target) const = 0;
};

class FdImage final : public ImageSource {
  public:
    // `name` is for errors. Does not own the descriptor.
    FdImage(int fd, std::string name) : fd_(fd), name_(std::move(name)) {}
    Result<std::uint64_t> size() const override;
    Status read(std::uint64_t offset, std::span<std::byte> target) const override;

  private:
    int fd_;
    std::string name_;
};

struct LinuxBoot {
    const ImageSource& kernel;
    const ImageSource* initrd = nullptr;
    std::string command_line;
    std::uint64_t memory_bytes;
    std::uint64_t rsdp_address;
};

// Returns the fields of vCPU 0 that differ from RESET.
Result<std::vector<abi::FieldValue>> load_linux(const LinuxBoot& boot, const GuestMemory& memory);

}  // namespace skep::guestdev
