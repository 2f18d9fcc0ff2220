// kern.proc.{filedesc,cwd}: what a process has open, as fstat(1) and procstat(1) show it.
// sys/user.h.
#include <kernel/abi/freebsd/file_types.hpp>
#include <kernel/abi/freebsd/socket_arguments.hpp>
#include <kernel/sysctl/kern_proc_process.hpp>
#include <kernel/vfs/current.hpp>
#include <kernel/vfs/path.hpp>

#include <algorithm>
#include <cstring>

namespace skep::kernel::sysctl {

namespace {

struct KinfoSocket {
    std::uint32_t send_queue;
    std::int32_t domain, type, protocol;
    std::uint8_t local[128], peer[128];  // struct sockaddr_storage
    std::uint64_t kernel_pointers[3];
    std::uint16_t send_state, receive_state;
    std::uint32_t receive_queue;
};
struct KinfoVnode {
    std::int32_t type, spare[3];
    std::uint64_t spare_longs[29], links, file_system, device, number, size;
    std::uint32_t file_system_freebsd11, device_freebsd11;
    std::uint16_t mode, padding;
    std::uint32_t padding2;
};
static_assert(sizeof(KinfoSocket) == 304 && sizeof(KinfoVnode) == 304);

struct KinfoFile {  // struct kinfo_file, without its path
    std::int32_t size, type, descriptor, references, flags, padding;
    std::int64_t offset;
    union {
        KinfoSocket socket;
        KinfoVnode vnode;
    };
    std::uint16_t status, padding2;
    std::int32_t spare;
    std::uint64_t rights[2], spare_rights;
};
static_assert(sizeof(KinfoFile) + kPathSize == 1392);
static_assert(offsetof(KinfoFile, offset) == 24 && offsetof(KinfoFile, socket) == 32 &&
              offsetof(KinfoFile, status) == 336 && offsetof(KinfoFile, rights) == 344);

enum : std::int32_t {  // KF_FD_TYPE_*: in place of a descriptor
    kWorkingDirectory = -1,
    kRootDirectory = -2,
    kProgramText = -5
};
enum : std::int32_t {  // KF_TYPE_*
    kTypeVnode = 1,
    kTypeSocket = 2,
    kTypePipe = 3,
    kTypeKqueue = 5,
    kTypePty = 10,
    kTypeProcess = 11,
    kTypeEvent = 13,
    kTypeTimer = 14,
    kTypeUnknown = 255
};
constexpr std::int32_t kFlagRead = 1, kFlagWrite = 2, kFlagAppend = 4, kFlagAsync = 8,
                       kFlagNonblock = 0x20, kFlagExecute = 0x4000;  // KF_FLAG_*

std::int32_t vnode_type(std::uint32_t mode) {  // KF_VTYPE_*
    switch (mode & kModeTypeMask) {
        case mode_of(VnodeType::Regular):
            return 1;
        case mode_of(VnodeType::Directory):
            return 2;
        case mode_of(VnodeType::BlockDevice):
            return 3;
        case mode_of(VnodeType::CharDevice):
            return 4;
        case mode_of(VnodeType::Symlink):
            return 5;
        case mode_of(VnodeType::Socket):
            return 6;
        case mode_of(VnodeType::Fifo):
            return 7;
        default:
            return 0;
    }
}

void put_vnode(KinfoFile& k, const FileStat& stat) {
    KinfoVnode& v = k.vnode;
    v.type = vnode_type(stat.mode);
    v.links = stat.links;
    v.file_system = freebsd_abi::encode_device(stat.device);
    v.device = freebsd_abi::encode_device(stat.device_number);
    v.number = stat.inode;
    v.size = stat.size;
    v.file_system_freebsd11 = static_cast<std::uint32_t>(v.file_system);
    v.device_freebsd11 = static_cast<std::uint32_t>(v.device);
    v.mode = static_cast<std::uint16_t>(stat.mode);
}

void put_socket(KinfoFile& k, Socket& socket) {
    KinfoSocket& s = k.socket;
    s.domain = static_cast<std::int32_t>(socket.family());
    s.type = static_cast<std::int32_t>(socket.type());
    s.protocol = socket.protocol();
    if (const auto address = socket.local_address())
        freebsd_abi::to_sockaddr(*address, s.local);
    if (const auto address = socket.peer_address())
        freebsd_abi::to_sockaddr(*address, s.peer);
}

std::int32_t type_of(File& file) {
    switch (file.kind()) {
        case FileKind::Socket:
            return kTypeSocket;
        case FileKind::Pipe:
            return file.vnode() ? kTypeVnode : kTypePipe;
        case FileKind::Kqueue:
            return kTypeKqueue;
        case FileKind::Tty:
            return file.tty_master() ? kTypePty : kTypeVnode;
        case FileKind::Event:
            return file.process_descriptor() ? kTypeProcess
                   : file.timerfd()          ? kTypeTimer
                                             : kTypeEvent;
        case FileKind::Vnode:
        case FileKind::Device:
            return kTypeVnode;
    }
    return kTypeUnknown;
}

std::int32_t flags_of(std::uint32_t open) {
    return (open & kOpenRead ? kFlagRead : 0) | (open & kOpenWrite ? kFlagWrite : 0) |
           (open & kOpenAppend ? kFlagAppend : 0) | (open & kOpenAsync ? kFlagAsync : 0) |
           (open & kOpenNonblock ? kFlagNonblock : 0);
}

Result<> put_record(KinfoFile& k, std::string_view path, Value& out) {
    const std::size_t room = path_room(path);
    k.size = static_cast<std::int32_t>(sizeof k + room);
    SKEP_TRY(out.put(k));
    return put_path(path, room, out);
}

Result<> put_directory(std::int32_t as, const Ref<Vnode>& directory, Value& out) {
    KinfoFile k{};
    k.type = kTypeVnode;
    k.descriptor = as;
    k.references = -1;
    k.flags = kFlagRead;
    FileStat stat;
    if (directory->stat(stat))
        put_vnode(k, stat);
    const auto path = path_of_directory(current_fs(), directory);
    return put_record(k, path ? path->view() : std::string_view(), out);
}

Result<> put_text(const Ref<Vnode>& executable, Value& out) {
    KinfoFile k{};
    k.type = kTypeVnode;
    k.descriptor = kProgramText;
    k.references = -1;
    k.flags = kFlagRead | kFlagExecute;
    FileStat stat;
    if (executable->stat(stat))
        put_vnode(k, stat);
    return put_record(k, name_of(*executable).view(), out);
}

Result<> put_file(std::uint32_t descriptor, File& file, Value& out) {
    KinfoFile k{};
    k.type = type_of(file);
    k.descriptor = static_cast<std::int32_t>(descriptor);
    k.references = static_cast<std::int32_t>(file.descriptor_count());
    k.flags = flags_of(file.flags());
    Text path;
    FileStat stat;
    if (file.socket()) {
        put_socket(k, *file.socket());
    } else if (k.type == kTypeVnode) {
        constexpr int kFromHere = 1;  // SEEK_CUR
        k.offset = static_cast<std::int64_t>(file.seek(0, kFromHere).value_or(0));
        if (file.stat(stat))
            put_vnode(k, stat);
        if (file.opened_in())
            if (auto found = path_of(current_fs(), file.opened_in(), file.opened_name()))
                path = std::move(*found);
    }
    return put_record(k, path.view(), out);
}

struct Places {
    Ref<FsContext> fs;
    Ref<DescriptorTable> descriptors;
    Ref<Vnode> executable;
};
Result<Places> places_of(Numbers rest) {
    const Ref<Process> p = SKEP_TRY(inspected_process(rest));
    const SpinGuard guard(process_lock);
    if (!p->fs || !p->descriptors)
        return fail(Errno::Srch);
    return Places{p->fs, p->descriptors, p->executable};
}

}  // namespace

Result<> read_files(Numbers rest, Value& out) {
    const Places places = SKEP_TRY(places_of(rest));
    if (places.executable)
        SKEP_TRY(put_text(places.executable, out));
    SKEP_TRY(put_directory(kWorkingDirectory, places.fs->working_directory(), out));
    SKEP_TRY(put_directory(kRootDirectory, places.fs->root(), out));
    for (auto at = places.descriptors->next(0); at; at = places.descriptors->next(*at + 1))
        if (const auto file = places.descriptors->get(*at))
            SKEP_TRY(put_file(*at, **file, out));
    return {};
}

Result<> read_working_directory(Numbers rest, Value& out) {
    return put_directory(kWorkingDirectory, SKEP_TRY(places_of(rest)).fs->working_directory(), out);
}

}  // namespace skep::kernel::sysctl
