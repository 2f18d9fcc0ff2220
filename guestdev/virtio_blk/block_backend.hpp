// Where a disk's content lives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace skep::guestdev {

class BlockBackend {
  public:
    virtual ~BlockBackend() = default;
    virtual std::uint64_t size() const = 0;  // bytes, a multiple of 512
    // All of it or false. The range is within the size.
    virtual bool read(std::uint64_t offset, std::span<std::byte> data) = 0;
    virtual bool write(std::uint64_t offset, std::span<const std::byte> data) = 0;
    virtual bool flush() = 0;
};

// A file that may be shorter than the disk: what it lacks is zero. Does not own the descriptor.
class FdBackend final : public BlockBackend {
  public:
    FdBackend(int fd, std::uint64_t size) : fd_(fd), size_(size) {}
    std::uint64_t size() const override { return size_; }
    bool read(std::uint64_t offset, std::span<std::byte> data) override;
    bool write(std::uint64_t offset, std::span<const std::byte> data) override;
    bool flush() override;

  private:
    int fd_;
    std::uint64_t size_;
};

class MemoryBackend final : public BlockBackend {
  public:
    explicit MemoryBackend(std::uint64_t size) : bytes(size) {}
    std::uint64_t size() const override { return bytes.size(); }
    bool read(std::uint64_t offset, std::span<std::byte> data) override;
    bool write(std::uint64_t offset, std::span<const std::byte> data) override;
    bool flush() override {
        flushes++;
        return true;
    }
    std::vector<std::byte> bytes;
    unsigned flushes = 0;
};

}  // namespace skep::guestdev
