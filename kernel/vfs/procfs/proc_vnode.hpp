// The nodes of /proc. They are made when looked up; what a text file shows is made when it is
// opened.
#pragma once

#include <kernel/vfs/file_system.hpp>
#include <kernel/vfs/procfs/process_view.hpp>

namespace skep::kernel {

// A row of a table: one name in a directory of /proc. `process` is 0 outside of process
// directories.
struct ProcEntry {
    std::string_view name;
    VnodeType type = VnodeType::Regular;
    Result<> (*text)(std::int32_t process, TextBuilder&) = nullptr;  // of a file or symlink
    Result<Ref<Vnode>> (*follow)(std::int32_t process) = nullptr;  // of a symlink to a file itself
    std::span<const ProcEntry> entries = {};                       // of a directory
    bool descriptors = false;  // a directory: of the process's descriptors
};

extern const ProcEntry kProcRoot;
extern const ProcEntry kProcProcess;

class ProcVnode final : public Vnode {
  public:
    ProcVnode(FileSystem&, const ProcEntry&, std::int32_t process, Ref<ProcVnode> parent,
              std::int64_t descriptor = -1);
    Result<> stat(FileStat&) override;
    Result<Ref<Vnode>> lookup(std::string_view) override;
    Result<Ref<Vnode>> parent() override;
    Result<std::size_t> name_in_parent(std::span<char>) override;
    Result<std::uint64_t> read_directory(std::uint64_t, DirectorySink&) override;
    Result<std::size_t> read_link(std::span<char>) override;
    Result<Ref<Vnode>> follow() override;
    Result<Ref<File>> open(std::uint32_t flags) override;

  private:
    Result<Ref<Vnode>> child(const ProcEntry&, std::int32_t process, std::int64_t descriptor = -1);
    Result<Ref<File>> descriptor_file();
    std::uint64_t inode() const;

    const ProcEntry& entry_;
    const std::int32_t process_;
    const Ref<ProcVnode> parent_;    // null: the root
    const std::int64_t descriptor_;  // of a link in fd/
};

}  // namespace skep::kernel
