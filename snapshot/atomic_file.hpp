// A file that is either there in full or not at all: written beside its place, synced, renamed.
#pragma once

#include <snapshot/error.hpp>

#include <string>
#include <string_view>

namespace skep::snapshot {

// The end of the names of files under construction. Those found when a program starts were left by
// a crash and may be removed.
inline constexpr std::string_view kPartialSuffix = ".partial";

class AtomicFile {
  public:
    // Creates PATH.RANDOM.partial with `mode`, in the same directory.
    static Result<AtomicFile> create(std::string path, unsigned mode = 0600);

    AtomicFile(AtomicFile&& other) noexcept;
    AtomicFile& operator=(AtomicFile&& other) noexcept;
    // Removes the partial file unless commit() succeeded.
    ~AtomicFile();

    int fd() const { return fd_; }
    const std::string& partial_path() const { return partial_; }

    // Syncs the file, renames it over `path`, syncs the directory, closes the descriptor.
    Status commit();

  private:
    AtomicFile(std::string path, std::string partial, int fd);
    void discard() noexcept;

    std::string path_, partial_;
    int fd_ = -1;
};

// Removes the partial files of a directory; returns how many there were.
Result<unsigned> remove_partial_files(const std::string& directory);

}  // namespace skep::snapshot
