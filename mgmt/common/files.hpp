// Files of the state directory and of the client's configuration: whole or not at all.
#pragma once

#include "mgmt/common/error.hpp"
#include "mgmt/common/unique_fd.hpp"

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace skep::mgmt {

bool file_exists(const std::string& path);

// Also its parents. Being there already is fine.
Result<void> make_directory(const std::string& path, mode_t mode);

Result<UniqueFd> open_file(const std::string& path, int flags, mode_t mode = 0);
Result<std::string> read_file(const std::string& path);
Result<std::uint64_t> file_size(int fd, const std::string& name_for_errors);

// Written beside, synced, renamed, directory synced: after a power cut the old content is there or
// the new.
Result<void> write_file(const std::string& path, std::string_view content, mode_t mode);

Result<void> write_all(int fd, std::string_view data, const std::string& name_for_errors);

// Names in a directory, sorted, without "." and "..".
Result<std::vector<std::string>> list_directory(const std::string& path);

// Removes a file or a whole tree. Nothing there is fine.
Result<void> remove_tree(const std::string& path);

// Makes renames and removals in the directory durable.
Result<void> sync_directory(const std::string& path);

// A file in the making: visible under its name only after commit(), gone if that never comes.
class PartialFile {
  public:
    // Made as DIRECTORY/.NAME.RANDOM.partial, so that two of the same name do not meet.
    static Result<PartialFile> create(const std::string& directory, const std::string& name,
                                      mode_t mode);
    PartialFile(PartialFile&& other) noexcept;
    PartialFile& operator=(PartialFile&&) = delete;
    ~PartialFile();

    int fd() const { return fd_.get(); }
    const std::string& path() const { return path_; }  // while it is partial
    Result<void> write(std::string_view data);
    // Sync, rename to DIRECTORY/NAME (replacing what is there), sync the directory.
    Result<void> commit();

  private:
    PartialFile(UniqueFd fd, std::string directory, std::string name, std::string path);
    UniqueFd fd_;
    std::string directory_, name_, path_;
    bool abandoned_ = true;
};

// Removes what a run that was cut off left: every .*.partial in the directory.
Result<void> remove_partial_files(const std::string& directory);

}  // namespace skep::mgmt
