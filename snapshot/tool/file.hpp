// A file opened for reading.
#pragma once

#include <snapshot/error.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

namespace skep::snapshot::tool {

class OpenFile {
  public:
    static Result<OpenFile> open(const std::string& path) {
        const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return fail_errno(path, errno);
        return OpenFile(fd);
    }
    OpenFile(OpenFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    OpenFile& operator=(OpenFile&&) = delete;
    ~OpenFile() {
        if (fd_ >= 0)
            ::close(fd_);
    }
    int fd() const { return fd_; }

  private:
    explicit OpenFile(int fd) : fd_(fd) {}
    int fd_;
};

}  // namespace skep::snapshot::tool
