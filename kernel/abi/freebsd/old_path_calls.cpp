// Calls of FreeBSD 5 to 11, from before inode numbers had 64 bits: compiled programs still make
// them.
#include <kernel/abi/freebsd/path_service.hpp>
#include <kernel/abi/freebsd/tables.hpp>

#include <cstring>

namespace skep::kernel::freebsd_abi {

namespace {

constexpr std::uint64_t kCwd = static_cast<std::uint64_t>(abi::kAtFdCwd);

// Numbers that do not fit are cut, as FreeBSD does by default (vfs.ino64_trunc_error).
Result<> put_old_stat(UserAddr to, const FileStat& from) {
    const Stat now = to_bsd_stat(from);
    OldStat stat{};
    stat.device = static_cast<std::uint32_t>(now.device);
    stat.inode = static_cast<std::uint32_t>(now.inode);
    stat.mode = now.mode;
    stat.links = static_cast<std::uint16_t>(std::min<std::uint64_t>(now.links, 0x7fff));
    stat.user = now.user;
    stat.group = now.group;
    stat.device_number = static_cast<std::uint32_t>(now.device_number);
    stat.accessed = now.accessed;
    stat.modified = now.modified;
    stat.changed = now.changed;
    stat.created = now.created;
    stat.size = now.size;
    stat.blocks = now.blocks;
    stat.block_size = now.block_size;
    return copy_out(to, stat);
}

Returns stat(Arguments a) {
    return done(put_old_stat(a[1], SKEP_TRY(stat_at(kCwd, a[0], 0))));
}
Returns lstat(Arguments a) {
    return done(put_old_stat(a[1], SKEP_TRY(stat_at(kCwd, a[0], kAtSymlinkNofollow))));
}
Returns fstat(Arguments a) {
    return done(put_old_stat(a[1], SKEP_TRY(stat_of(a[0]))));
}
Returns fstatat(Arguments a) {
    return done(
        put_old_stat(a[2], SKEP_TRY(stat_at(a[0], a[1], static_cast<std::uint32_t>(a[3])))));
}

Returns statfs(Arguments a) {
    return done(put_statfs<OldStatFs>(a[1], *SKEP_TRY(file_system_at(a[0]))));
}
Returns fstatfs(Arguments a) {
    return done(put_statfs<OldStatFs>(a[1], *SKEP_TRY(file_system_of(a[0]))));
}
Returns getfsstat(Arguments a) {
    return list_file_systems<OldStatFs>(a[0], a[1]);
}

class OldRecordBuffer final : public DirectorySink {
  public:
    explicit OldRecordBuffer(std::span<std::byte> room) : room_(room) {}
    bool add(const DirectoryEntry& entry) override {
        const std::size_t size =
            (sizeof(OldDirectoryRecord) + entry.name.size() + 1 + 3) & ~std::size_t{3};
        if (size > room_.size() - used_) {
            too_small_ = used_ == 0;
            return false;
        }
        const OldDirectoryRecord record{
            .inode = static_cast<std::uint32_t>(entry.inode),
            .size = static_cast<std::uint16_t>(size),
            .type = static_cast<std::uint8_t>(mode_of(entry.type) >> 12),  // DT_*
            .name_size = static_cast<std::uint8_t>(entry.name.size())};
        std::byte* to = room_.data() + used_;
        std::memset(to, 0, size);
        std::memcpy(to, &record, sizeof record);
        std::memcpy(to + sizeof record, entry.name.data(), entry.name.size());
        used_ += size;
        return true;
    }
    std::size_t used() const { return used_; }
    bool too_small() const { return too_small_; }

  private:
    std::span<std::byte> room_;
    std::size_t used_ = 0;
    bool too_small_ = false;
};

Returns getdirentries(Arguments a) {
    return read_entries<OldRecordBuffer>(a);
}
Returns getdents(Arguments a) {
    const std::uint64_t arguments[] = {a[0], a[1], a[2], 0};
    return getdirentries(arguments);
}

// dev_t had 32 bits: the low half of today's.
Returns mknod_at(std::uint64_t descriptor, UserAddr path, std::uint64_t mode,
                 std::uint64_t device) {
    const abi::PlaceArgument place = SKEP_TRY(abi::place_argument(descriptor, path));
    for (const VnodeType type : {VnodeType::CharDevice, VnodeType::BlockDevice, VnodeType::Fifo})
        if (mode_of(type) == (mode & kModeTypeMask))
            return done(make_node(
                abi::actor(), place, type, static_cast<std::uint32_t>(mode) & kModePermissions,
                type == VnodeType::Fifo ? 0 : decode_device(static_cast<std::uint32_t>(device))));
    return fail(Errno::Inval);
}
Returns mknod(Arguments a) {
    return mknod_at(kCwd, a[0], a[1], a[2]);
}
Returns mknodat(Arguments a) {
    return mknod_at(a[0], a[1], a[2], a[3]);
}

constexpr Syscall kCalls[] = {
    {14, "freebsd11_mknod", 3, mknod},
    {188, "freebsd11_stat", 2, stat},
    {189, "freebsd11_fstat", 2, fstat},
    {190, "freebsd11_lstat", 2, lstat},
    {196, "freebsd11_getdirentries", 4, getdirentries},
    {272, "freebsd11_getdents", 3, getdents},
    {395, "freebsd11_getfsstat", 3, getfsstat},
    {396, "freebsd11_statfs", 2, statfs},
    {397, "freebsd11_fstatfs", 2, fstatfs},
    {493, "freebsd11_fstatat", 4, fstatat},
    {498, "freebsd11_mknodat", 4, mknodat},
};

}  // namespace

const std::span<const Syscall> old_path_calls = kCalls;

}  // namespace skep::kernel::freebsd_abi
