#include <guestdev/virtio_blk/block_backend.hpp>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace skep::guestdev {

bool FdBackend::read(std::uint64_t offset, std::span<std::byte> data) {
    while (!data.empty()) {
        ssize_t got = pread(fd_, data.data(), data.size(), static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return false;
        if (got == 0) {
            std::ranges::fill(data, std::byte{0});
            return true;
        }
        offset += static_cast<std::uint64_t>(got);
        data = data.subspan(static_cast<std::size_t>(got));
    }
    return true;
}

bool FdBackend::write(std::uint64_t offset, std::span<const std::byte> data) {
    while (!data.empty()) {
        ssize_t put = pwrite(fd_, data.data(), data.size(), static_cast<off_t>(offset));
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        offset += static_cast<std::uint64_t>(put);
        data = data.subspan(static_cast<std::size_t>(put));
    }
    return true;
}

bool FdBackend::flush() {
    return fdatasync(fd_) == 0;
}

bool MemoryBackend::read(std::uint64_t offset, std::span<std::byte> data) {
    std::memcpy(data.data(), bytes.data() + offset, data.size());
    return true;
}

bool MemoryBackend::write(std::uint64_t offset, std::span<const std::byte> data) {
    std::memcpy(bytes.data() + offset, data.data(), data.size());
    return true;
}

}  // namespace skep::guestdev
