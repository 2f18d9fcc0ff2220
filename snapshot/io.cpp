#include <snapshot/io.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace skep::snapshot {

Status FdSink::write(std::span<const std::byte> data) {
    while (!data.empty()) {
        const ssize_t written = ::write(fd_, data.data(), data.size());
        if (written < 0) {
            if (errno == EINTR)
                continue;
            return fail_errno("write", errno);
        }
        data = data.subspan(static_cast<std::size_t>(written));
    }
    return {};
}

Result<std::size_t> FdSource::read(std::span<std::byte> buffer) {
    for (;;) {
        const ssize_t got = ::read(fd_, buffer.data(), buffer.size());
        if (got >= 0)
            return static_cast<std::size_t>(got);
        if (errno != EINTR)
            return fail_errno("read", errno);
    }
}

Result<std::size_t> FdFile::read_at(std::uint64_t offset, std::span<std::byte> buffer) const {
    for (;;) {
        const ssize_t got = ::pread(fd_, buffer.data(), buffer.size(), static_cast<off_t>(offset));
        if (got >= 0)
            return static_cast<std::size_t>(got);
        if (errno != EINTR)
            return fail_errno("pread", errno);
    }
}

Result<std::uint64_t> FdFile::size() const {
    struct stat status;
    if (::fstat(fd_, &status) != 0)
        return fail_errno("fstat", errno);
    return static_cast<std::uint64_t>(status.st_size);
}

Status MemorySink::write(std::span<const std::byte> data) {
    bytes_.insert(bytes_.end(), data.begin(), data.end());
    return {};
}

Result<std::size_t> MemoryFile::read_at(std::uint64_t offset, std::span<std::byte> buffer) const {
    if (offset >= bytes_.size())
        return 0;
    const std::size_t size =
        std::min<std::size_t>(buffer.size(), bytes_.size() - static_cast<std::size_t>(offset));
    std::memcpy(buffer.data(), bytes_.data() + offset, size);
    return size;
}

Result<std::size_t> FileSource::read(std::span<std::byte> buffer) {
    const std::size_t got = SKEP_TRY(file_.read_at(offset_, buffer));
    offset_ += got;
    return got;
}

Result<std::size_t> TeeSource::read(std::span<std::byte> buffer) {
    const std::size_t got = SKEP_TRY(source_.read(buffer));
    SKEP_TRY(copy_.write(buffer.first(got)));
    return got;
}

}  // namespace skep::snapshot
