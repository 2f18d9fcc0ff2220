// kern.proc.{env,auxv,vmmap}: the memory of a process. sys/user.h.
#include <kernel/abi/freebsd/file_types.hpp>
#include <kernel/proc/start_record.hpp>
#include <kernel/sysctl/kern_proc_process.hpp>

namespace skep::kernel::sysctl {

namespace {

struct Inspected {
    Ref<VmMap> map;
    Ref<Vnode> executable;
};
Result<Inspected> inspected(Numbers rest) {
    const Ref<Process> p = SKEP_TRY(inspected_process(rest));
    const SpinGuard guard(process_lock);
    if (!p->map)
        return fail(Errno::Srch);
    return Inspected{p->map, p->executable};
}

struct KinfoMapEntry {  // struct kinfo_vmentry, without its path
    std::int32_t size, type;
    std::uint64_t start, end, offset, file_number;
    std::uint32_t file_system_freebsd11;
    std::int32_t flags, resident, private_resident, protection, references, shadows, file_type;
    std::uint64_t file_size;
    std::uint32_t device_freebsd11;
    std::uint16_t mode, status;
    std::uint64_t file_system, device;
    std::int32_t spare[8];
};
static_assert(sizeof(KinfoMapEntry) + kPathSize == 1160);
static_assert(offsetof(KinfoMapEntry, flags) == 44 && offsetof(KinfoMapEntry, protection) == 56 &&
              offsetof(KinfoMapEntry, file_size) == 72 && offsetof(KinfoMapEntry, status) == 86);

enum : std::int32_t {  // KVME_TYPE_*
    kNoAccess = 0,
    kMemory = 1,
    kFile = 2
};

void put_file(KinfoMapEntry& k, const FileStat& stat) {
    constexpr std::int32_t kRegular = 1;  // KF_VTYPE_VREG
    k.type = kFile;
    k.file_type = kRegular;
    k.file_number = stat.inode;
    k.file_size = stat.size;
    k.mode = static_cast<std::uint16_t>(stat.mode);
    k.file_system = freebsd_abi::encode_device(stat.device);
    k.file_system_freebsd11 = static_cast<std::uint32_t>(k.file_system);
}

void describe(KinfoMapEntry& k, const MapEntry& entry) {
    constexpr std::int32_t kCopyOnWrite = 1, kNeedsCopy = 2;  // KVME_FLAG_*
    if (k.type != kFile)
        k.type = entry.max_protection ? kMemory : kNoAccess;
    k.start = entry.start;
    k.end = entry.end;
    k.offset = entry.offset;
    k.protection = static_cast<std::int32_t>(entry.protection);  // KVME_PROT_* are PROT_*
    k.flags = entry.shared ? 0 : entry.object ? kCopyOnWrite | kNeedsCopy : kCopyOnWrite;
    k.references = 1;
}

}  // namespace

Result<> read_environment(Numbers rest, Value& out) {
    const Ref<VmMap> map = SKEP_TRY(inspected(rest)).map;
    const Vector<char> text = SKEP_TRY(kernel::read_environment(*map));
    return out.put_bytes(text.data(), text.size());
}

Result<> read_auxiliary_vector(Numbers rest, Value& out) {
    const Ref<VmMap> map = SKEP_TRY(inspected(rest)).map;
    const Vector<std::uint64_t> words = SKEP_TRY(kernel::read_auxiliary_vector(*map));
    return out.put_bytes(words.data(), words.size() * sizeof(std::uint64_t));
}

// Records of their own length each: of the path there is only as much as is used. Of the files only
// the program itself is told by name.
Result<> read_map(Numbers rest, Value& out) {
    const Inspected program = SKEP_TRY(inspected(rest));
    Ref<VmObject> text;
    KinfoMapEntry of_text{};
    Text path;
    if (program.executable) {
        if (auto object = program.executable->object())
            text = std::move(*object);
        FileStat stat;
        if (program.executable->stat(stat))
            put_file(of_text, stat);
        path = name_of(*program.executable);
    }
    Vector<KinfoMapEntry> entries;
    Result<> kept;
    program.map->for_each_entry([&](const MapEntry& entry) {
        if (!kept)
            return;
        KinfoMapEntry k = text && entry.object == text ? of_text : KinfoMapEntry{};
        describe(k, entry);
        kept = entries.push_back(k);
    });
    SKEP_TRY(kept);
    for (KinfoMapEntry& k : entries) {
        k.resident = static_cast<std::int32_t>(program.map->resident_pages(k.start, k.end));
        const std::string_view shown = k.type == kFile ? path.view() : std::string_view();
        const std::size_t room = path_room(shown);
        k.size = static_cast<std::int32_t>(sizeof k + room);
        SKEP_TRY(out.put(k));
        SKEP_TRY(put_path(shown, room, out));
    }
    return {};
}

}  // namespace skep::kernel::sysctl
