#include <snapshot/atomic_file.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <random>
#include <utility>

namespace skep::snapshot {
namespace {

std::string directory_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos)
        return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

Status sync_directory(const std::string& directory) {
    const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno("open " + directory, errno);
    const int result = ::fsync(fd);
    const int error_number = errno;
    ::close(fd);
    // Some file systems cannot sync a directory; they have nothing to sync.
    if (result != 0 && error_number != EINVAL)
        return fail_errno("fsync " + directory, error_number);
    return {};
}

}  // namespace

AtomicFile::AtomicFile(std::string path, std::string partial, int fd)
    : path_(std::move(path)), partial_(std::move(partial)), fd_(fd) {}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)),
      partial_(std::move(other.partial_)),
      fd_(std::exchange(other.fd_, -1)) {}

AtomicFile& AtomicFile::operator=(AtomicFile&& other) noexcept {
    if (this != &other) {
        discard();
        path_ = std::move(other.path_);
        partial_ = std::move(other.partial_);
        fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
}

AtomicFile::~AtomicFile() {
    discard();
}

void AtomicFile::discard() noexcept {
    if (fd_ < 0)
        return;
    ::close(std::exchange(fd_, -1));
    ::unlink(partial_.c_str());
}

Result<AtomicFile> AtomicFile::create(std::string path, unsigned mode) {
    std::random_device random;
    for (int attempt = 0; attempt < 16; ++attempt) {
        std::string partial = path + "." + std::to_string(random()) + std::string(kPartialSuffix);
        const int fd = ::open(partial.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (fd >= 0)
            return AtomicFile(std::move(path), std::move(partial), fd);
        if (errno != EEXIST)
            return fail_errno("create " + partial, errno);
    }
    return fail_errno("create a file beside " + path, EEXIST);
}

Status AtomicFile::commit() {
    if (fd_ < 0)
        return fail(ErrorCode::Misuse, path_ + " was committed already");
    if (::fsync(fd_) != 0)
        return fail_errno("fsync " + partial_, errno);
    if (::rename(partial_.c_str(), path_.c_str()) != 0)
        return fail_errno("rename " + partial_ + " to " + path_, errno);
    ::close(std::exchange(fd_, -1));
    return sync_directory(directory_of(path_));
}

Result<unsigned> remove_partial_files(const std::string& directory) {
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir(directory.c_str()), ::closedir);
    if (!entries)
        return fail_errno("open " + directory, errno);
    unsigned removed = 0;
    while (const dirent* entry = ::readdir(entries.get())) {
        const std::string file = entry->d_name;
        if (!file.ends_with(kPartialSuffix))
            continue;
        if (::unlink((directory + "/" + file).c_str()) != 0)
            return fail_errno("remove " + directory + "/" + file, errno);
        ++removed;
    }
    return removed;
}

}  // namespace skep::snapshot
