#include <kernel/ipc/socket.hpp>

#include <kernel/sched/clock.hpp>

namespace skep::kernel {

namespace {

struct FamilyEntry {
    Family family = Family::Unspecified;
    SocketFactory factory = nullptr;
};
// Filled at boot, before there are programs.
std::array<FamilyEntry, 4> families;

}  // namespace

void register_socket_family(Family family, SocketFactory factory) {
    for (FamilyEntry& entry : families)
        if (!entry.factory) {
            entry = {family, factory};
            return;
        }
}

Result<Ref<Socket>> create_socket(Family family, SocketType type, std::uint32_t protocol,
                                  std::uint32_t flags) {
    for (const FamilyEntry& entry : families)
        if (entry.factory && entry.family == family)
            return entry.factory(type, protocol, flags);
    return fail(Errno::AfNoSupport);
}

Result<> Socket::stat(FileStat& stat) {
    stat = FileStat();
    stat.inode = reinterpret_cast<std::uintptr_t>(this) >> 4 & 0xffff'ffff;
    stat.mode = mode_of(VnodeType::Socket) | 0777;
    stat.accessed = stat.modified = stat.changed = stat.created = realtime_now();
    return {};
}

}  // namespace skep::kernel
