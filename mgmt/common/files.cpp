#include "mgmt/common/files.hpp"

#include "mgmt/common/text.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>

namespace skep::mgmt {

bool file_exists(const std::string& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0;
}

Result<void> make_directory(const std::string& path, mode_t mode) {
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0) {
        if (S_ISDIR(info.st_mode))
            return {};
        return fail(system_error(ENOTDIR, path));
    }
    if (auto slash = path.rfind('/'); slash != std::string::npos && slash > 0)
        RETURN_IF_ERROR(make_directory(path.substr(0, slash), 0755));
    if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST)
        return fail(system_error(errno, "cannot make the directory " + path));
    return {};
}

Result<UniqueFd> open_file(const std::string& path, int flags, mode_t mode) {
    UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC, mode));
    if (!fd)
        return fail(system_error(errno, "cannot open " + path));
    return fd;
}

Result<std::uint64_t> file_size(int fd, const std::string& name_for_errors) {
    struct stat info {};
    if (::fstat(fd, &info) != 0)
        return fail(system_error(errno, "cannot tell the size of " + name_for_errors));
    return static_cast<std::uint64_t>(info.st_size);
}

Result<std::string> read_file(const std::string& path) {
    auto fd = open_file(path, O_RDONLY);
    RETURN_IF_ERROR(fd);
    std::string content;
    char buffer[16384];
    for (;;) {
        auto count = ::read(fd->get(), buffer, sizeof buffer);
        if (count == 0)
            return content;
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return fail(system_error(errno, "cannot read " + path));
        content.append(buffer, static_cast<std::size_t>(count));
    }
}

Result<void> write_all(int fd, std::string_view data, const std::string& name_for_errors) {
    while (!data.empty()) {
        auto count = ::write(fd, data.data(), data.size());
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return fail(system_error(errno, "cannot write " + name_for_errors));
        data.remove_prefix(static_cast<std::size_t>(count));
    }
    return {};
}

Result<void> write_file(const std::string& path, std::string_view content, mode_t mode) {
    auto slash = path.rfind('/');
    auto directory = slash == std::string::npos ? std::string(".") : path.substr(0, slash);
    auto file = PartialFile::create(directory,
                                    path.substr(slash == std::string::npos ? 0 : slash + 1), mode);
    RETURN_IF_ERROR(file);
    RETURN_IF_ERROR(file->write(content));
    return file->commit();
}

Result<std::vector<std::string>> list_directory(const std::string& path) {
    std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
    if (!directory)
        return fail(system_error(errno, "cannot read the directory " + path));
    std::vector<std::string> names;
    while (auto* entry = ::readdir(directory.get())) {
        std::string name = entry->d_name;
        if (name != "." && name != "..")
            names.push_back(std::move(name));
    }
    std::sort(names.begin(), names.end());
    return names;
}

Result<void> remove_tree(const std::string& path) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0)
        return errno == ENOENT ? Result<void>{}
                               : fail(system_error(errno, "cannot remove " + path));
    if (S_ISDIR(info.st_mode)) {
        auto names = list_directory(path);
        RETURN_IF_ERROR(names);
        for (const auto& name : *names)
            RETURN_IF_ERROR(remove_tree(path + "/" + name));
        if (::rmdir(path.c_str()) != 0)
            return fail(system_error(errno, "cannot remove " + path));
        return {};
    }
    if (::unlink(path.c_str()) != 0)
        return fail(system_error(errno, "cannot remove " + path));
    return {};
}

Result<void> sync_directory(const std::string& path) {
    auto fd = open_file(path, O_RDONLY | O_DIRECTORY);
    RETURN_IF_ERROR(fd);
    // EINVAL: a file system without directories on a device (tmpfs may say so).
    if (::fsync(fd->get()) != 0 && errno != EINVAL)
        return fail(system_error(errno, "cannot sync " + path));
    return {};
}

PartialFile::PartialFile(UniqueFd fd, std::string directory, std::string name, std::string path)
    : fd_(std::move(fd)),
      directory_(std::move(directory)),
      name_(std::move(name)),
      path_(std::move(path)) {}

PartialFile::PartialFile(PartialFile&& other) noexcept
    : fd_(std::move(other.fd_)),
      directory_(std::move(other.directory_)),
      name_(std::move(other.name_)),
      path_(std::move(other.path_)),
      abandoned_(std::exchange(other.abandoned_, false)) {}

PartialFile::~PartialFile() {
    if (abandoned_)
        ::unlink(path_.c_str());
}

Result<PartialFile> PartialFile::create(const std::string& directory, const std::string& name,
                                        mode_t mode) {
    auto path = directory + "/." + name + "." + random_hex(4) + ".partial";
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (!fd)
        return fail(system_error(errno, "cannot create " + directory + "/" + name));
    return PartialFile(std::move(fd), directory, name, std::move(path));
}

Result<void> PartialFile::write(std::string_view data) {
    return write_all(fd_.get(), data, directory_ + "/" + name_);
}

Result<void> PartialFile::commit() {
    auto final_path = directory_ + "/" + name_;
    if (::fsync(fd_.get()) != 0 && errno != EINVAL)
        return fail(system_error(errno, "cannot sync " + final_path));
    if (::rename(path_.c_str(), final_path.c_str()) != 0)
        return fail(system_error(errno, "cannot rename " + path_ + " to " + final_path));
    abandoned_ = false;
    return sync_directory(directory_);
}

Result<void> remove_partial_files(const std::string& directory) {
    auto names = list_directory(directory);
    RETURN_IF_ERROR(names);
    for (const auto& name : *names)
        if (name.starts_with('.') && name.ends_with(".partial"))
            RETURN_IF_ERROR(remove_tree(directory + "/" + name));
    return {};
}

}  // namespace skep::mgmt
