#include "tests/guest/disk.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

#include "tests/guest/checksum.hpp"
#include "tests/guest/random.hpp"

namespace skep::guest {

struct alignas(Disk::block_bytes) Disk::Block {
    uint64_t magic;
    uint64_t number;
    uint64_t sum;
    uint64_t words[block_bytes / sizeof(uint64_t) - 3];
};

namespace {

constexpr uint64_t block_magic = 0x4b434f4c4250454bu;

std::string failure(const std::string& call) {
    return call + ": " + std::strerror(errno);
}

}  // namespace

Disk::Disk(int fd, uint64_t blocks) : fd_(fd), blocks_(blocks), block_(new Block{}) {}

Disk::Disk(Disk&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      blocks_(other.blocks_),
      block_(std::exchange(other.block_, nullptr)) {}

Disk::~Disk() {
    if (fd_ >= 0) {
        ::close(fd_);
    }
    delete block_;
}

std::expected<Disk, std::string> Disk::open(const char* path) {
    const int fd = ::open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
    if (fd < 0) {
        return std::unexpected(failure("open"));
    }
    const off_t size = ::lseek(fd, 0, SEEK_END);
    if (size < static_cast<off_t>(block_bytes)) {
        ::close(fd);
        return std::unexpected("too small");
    }
    return Disk(fd, static_cast<uint64_t>(size) / block_bytes);
}

std::expected<void, std::string> Disk::write(uint64_t number) {
    block_->magic = block_magic;
    block_->number = number;
    Random random(number);
    for (uint64_t& word : block_->words) {
        word = random.next();
    }
    block_->sum = checksum(block_->words) ^ number;
    const auto offset = static_cast<off_t>(number % blocks_ * block_bytes);
    if (::pwrite(fd_, block_, block_bytes, offset) != static_cast<ssize_t>(block_bytes)) {
        return std::unexpected(failure("write of block " + std::to_string(number)));
    }
    if (::fdatasync(fd_) != 0) {
        return std::unexpected(failure("flush of block " + std::to_string(number)));
    }
    return {};
}

std::expected<void, std::string> Disk::verify(uint64_t number) {
    const std::string name = "block " + std::to_string(number);
    std::memset(static_cast<void*>(block_), 0, block_bytes);
    const auto offset = static_cast<off_t>(number % blocks_ * block_bytes);
    if (::pread(fd_, block_, block_bytes, offset) != static_cast<ssize_t>(block_bytes)) {
        return std::unexpected(failure("read of " + name));
    }
    if (block_->magic != block_magic) {
        return std::unexpected(name + " is not there");
    }
    if (block_->number != number) {
        return std::unexpected(name + " holds " + std::to_string(block_->number));
    }
    if (block_->sum != (checksum(block_->words) ^ number)) {
        return std::unexpected(name + " is damaged");
    }
    return {};
}

}  // namespace skep::guest
