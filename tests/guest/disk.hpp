// Numbered, checksummed blocks on a raw disk, written and read past the page cache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>

namespace skep::guest {

class Disk {
  public:
    static constexpr size_t block_bytes = 4096;

    // Opens a block device. The error names the call that failed.
    static std::expected<Disk, std::string> open(const char* path);

    Disk(Disk&& other) noexcept;
    Disk& operator=(Disk&&) = delete;
    ~Disk();

    uint64_t blocks() const { return blocks_; }

    // Writes block number (1, 2, ...; it wraps at the end of the disk) and flushes the disk.
    std::expected<void, std::string> write(uint64_t number);

    // Reads block number back; the error says what is there instead.
    std::expected<void, std::string> verify(uint64_t number);

  private:
    Disk(int fd, uint64_t blocks);

    int fd_;
    uint64_t blocks_;
    // O_DIRECT wants the buffer aligned to the device's sectors.
    struct Block;
    Block* block_;
};

}  // namespace skep::guest
