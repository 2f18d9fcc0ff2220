#include "mgmt/skepd/store/store.hpp"

#include "mgmt/common/text.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <vector>

namespace skep::mgmt {
namespace {

constexpr std::size_t kPiece = 256 * 1024;

bool all_zero(const char* data, std::size_t size) {
    return std::all_of(data, data + size, [](char byte) { return byte == 0; });
}

// Copies the image to the start of the disk; zeros are left out, so that the disk stays sparse.
Result<void> copy_image(const std::string& image, int disk, std::uint64_t& done,
                        std::uint64_t total, const Store::Progress& progress) {
    auto source = open_file(image, O_RDONLY);
    RETURN_IF_ERROR(source);
    std::vector<char> piece(kPiece);
    std::uint64_t offset = 0;
    for (;;) {
        auto count = ::read(source->get(), piece.data(), piece.size());
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return fail(system_error(errno, "cannot read " + image));
        if (count == 0)
            return {};
        auto size = static_cast<std::size_t>(count);
        for (std::size_t written = 0; written < size && !all_zero(piece.data(), size);) {
            auto result = ::pwrite(disk, piece.data() + written, size - written,
                                   static_cast<off_t>(offset + written));
            if (result < 0 && errno == EINTR)
                continue;
            if (result < 0)
                return fail(system_error(errno, "cannot write a disk"));
            written += static_cast<std::size_t>(result);
        }
        offset += size;
        done += size;
        if (!progress(done, total))
            return fail(
                Error(Code::Cancelled, "CANCELLED", "cancelled while disks were being copied"));
    }
}

// Entries of the directory that have no record any more, or never got one.
Result<void> remove_unrecorded(Catalogue& catalogue, Table table, const std::string& directory) {
    auto names = list_directory(directory);
    RETURN_IF_ERROR(names);
    for (const auto& name : *names) {
        auto row = catalogue.get(table, name);
        if (row)
            continue;
        if (row.error().code != Code::NotFound)
            return fail(row.error());
        std::printf("skepd: removing %s/%s, left by a run that was cut off\n", directory.c_str(),
                    name.c_str());
        RETURN_IF_ERROR(remove_tree(directory + "/" + name));
    }
    return {};
}

}  // namespace

Result<Store> Store::open(const std::string& state_dir) {
    Store store(state_dir);
    for (const auto& directory : {store.images(), store.snapshots(), store.vms()})
        RETURN_IF_ERROR(make_directory(directory, 0700));
    return store;
}

Result<void> Store::tidy(Catalogue& catalogue) {
    RETURN_IF_ERROR(remove_unrecorded(catalogue, Table::Images, images()));
    RETURN_IF_ERROR(remove_unrecorded(catalogue, Table::Snapshots, snapshots()));
    return remove_unrecorded(catalogue, Table::Vms, vms());
}

Result<void> Store::make_disks(const std::string& vm, const skep::vm::v1::MachineSpec& spec,
                               bool with_content, const Progress& progress) const {
    auto partial = vms() + "/." + vm + "." + random_hex(4) + ".partial";
    struct Cleanup {
        std::string path;
        ~Cleanup() { [[maybe_unused]] auto result = remove_tree(path); }
    } cleanup{partial};  // after the rename there is nothing left to remove
    RETURN_IF_ERROR(make_directory(partial, 0700));
    std::uint64_t done = 0, total = 0;
    for (const auto& disk : spec.disks())
        total += disk.image().empty() ? 0 : disk.size_bytes();
    for (const auto& disk : spec.disks()) {
        auto path = partial + "/" + disk.name();
        auto file = open_file(path, O_RDWR | O_CREAT | O_EXCL, 0600);
        RETURN_IF_ERROR(file);
        if (with_content && !disk.image().empty())
            RETURN_IF_ERROR(
                copy_image(root_ + "/" + disk.image(), file->get(), done, total, progress));
        if (with_content && ::ftruncate(file->get(), static_cast<off_t>(disk.size_bytes())) != 0)
            return fail(system_error(
                errno, "cannot make a disk of " + std::to_string(disk.size_bytes()) + " bytes"));
        if (::fsync(file->get()) != 0 && errno != EINVAL)
            return fail(system_error(errno, "cannot sync " + path));
    }
    auto final_path = vms() + "/" + vm;
    if (::rename(partial.c_str(), final_path.c_str()) != 0)
        return fail(system_error(errno, "cannot rename " + partial));
    return sync_directory(vms());
}

Result<void> Store::remove_disks(const std::string& vm) const {
    return remove_tree(vms() + "/" + vm);
}

}  // namespace skep::mgmt
