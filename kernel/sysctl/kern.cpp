// kern.*: sys/sysctl.h, KERN_*.
#include <kernel/abi/freebsd/file_types.hpp>
#include <kernel/abi/freebsd/memory_policy.hpp>
#include <kernel/abi/freebsd/release.hpp>
#include <kernel/arch/x86_64/percpu.hpp>
#include <kernel/dev/random.hpp>
#include <kernel/mm/layout.hpp>
#include <kernel/proc/credentials.hpp>
#include <kernel/proc/exec.hpp>
#include <kernel/sysctl/values.hpp>
#include <kernel/vfs/current.hpp>
#include <kernel/vfs/device.hpp>

#include <algorithm>
#include <cstring>

namespace skep::kernel::sysctl {

namespace {

using namespace freebsd_abi;

constexpr std::string_view kGeneric = "GENERIC", kEmpty = "", kBootFile = "/boot/kernel",
                           kScheduler = "ULE", kTsc = "TSC", kNone = "none", kCoreFile = "%N.core";
constexpr std::string_view kNoUuid = "00000000-0000-0000-0000-000000000000";

Result<> read_host_name(Numbers, Value& out) {
    char name[kHostNameSize];
    copy_host_name(name);
    return out.put_text(name);
}
Result<> write_host_name(std::span<const std::byte> fresh) {
    const auto* text = reinterpret_cast<const char*>(fresh.data());
    return set_host_name({text, strnlen(text, fresh.size())});
}

Result<> read_allow_wx(Numbers, Value& out) {
    return out.put(std::int32_t{freebsd_abi::allow_write_execute});
}
Result<> write_allow_wx(std::span<const std::byte> fresh) {
    std::int32_t value;
    if (fresh.size() != sizeof value)
        return fail(Errno::Inval);
    std::memcpy(&value, fresh.data(), sizeof value);
    if (current_caller().superuser()) {
        freebsd_abi::allow_write_execute = value != 0;
        return {};
    }
    return fail(Errno::Perm);
}
constexpr Node kElf64[] = {{.number = 256,
                            .name = "allow_wx",
                            .type = Type::Int,
                            .format = "I",
                            .read = read_allow_wx,
                            .write = write_allow_wx}};
constexpr std::span<const Node> kElf64Nodes = kElf64;

Result<> read_clock_rate(Numbers, Value& out) {
    struct ClockInfo {
        std::int32_t hz, tick, spare, statistics_hz, profile_hz;
    };
    return out.put(ClockInfo{1000, 1000, 0, 127, 8126});
}

Result<> read_boot_time(Numbers, Value& out) {
    constexpr std::int64_t kSecond = 1'000'000'000;
    const std::int64_t at = realtime_now() - static_cast<std::int64_t>(monotonic_now());
    const std::int64_t time[2] = {at / kSecond, at % kSecond / 1000};
    return out.put(time);
}

// As many bytes as are asked for: arc4random(3) before FreeBSD 12 ends the program over an error.
Result<> read_random(Numbers, Value& out) {
    std::byte bytes[256];
    const std::size_t size = std::min(out.room.value_or(sizeof bytes), sizeof bytes);
    fill_random(bytes, size);
    return out.put_bytes(bytes, size);
}

Result<> read_cpu_times(Numbers, Value& out) {
    // user, nice, system, interrupt, idle: all time since boot counts as idle.
    const std::int64_t ticks[5] = {0, 0, 0, 0,
                                   static_cast<std::int64_t>(monotonic_now() / 7'874'016)};
    return out.put(ticks);
}

Result<> read_every_cpu_times(Numbers, Value& out) {
    for (std::uint32_t i = 0; i < cpu_count; i++)
        SKEP_TRY(read_cpu_times({}, out));
    return {};
}

// devname(3): the name below /dev of a dev_t, of 32 bits before FreeBSD 12.
Result<> read_device_name(std::span<const std::byte> question, Value& out) {
    std::uint64_t device = 0;
    if (question.size() != sizeof device && question.size() != sizeof(std::uint32_t))
        return fail(Errno::Inval);
    std::memcpy(&device, question.data(), question.size());
    const auto name = device_name(VnodeType::CharDevice, decode_device(device));
    if (!name)
        return fail(Errno::NoEnt);
    return out.put_text(name->view());
}

std::int32_t cpus_online() {
    return static_cast<std::int32_t>(cpu_count);
}

constexpr std::int32_t kMaxProcesses = 16384, kMaxFiles = 1 << 20, kArgMax = 512 * 1024,
                       kSomaxconn = 4096;
constexpr std::int32_t kPosix = 200809, kGroups = 32, kIovMax = 1024;
constexpr std::int32_t kCpuSetSize = 128;  // bytes of a cpuset_t
constexpr std::uint64_t kMaxSocketBuffer = 2 * 1024 * 1024;

constexpr Node kIpc[] = {
    long_node<kMaxSocketBuffer>(1, "maxsockbuf"),
    int_node<kSomaxconn>(3, "somaxconn"),
    int_node<kSomaxconn>(256, "soacceptqueue"),
};
constexpr std::span<const Node> kIpcNodes = kIpc;

constexpr Node kSmp[] = {
    int_node<kMaxCpus>(256, "maxcpus"),
    int_node<1>(257, "active"),
    int_node<0>(258, "disabled"),
    {.number = 259, .name = "cpus", .type = Type::Int, .format = "I", .read = number<cpus_online>},
    {.number = 260,
     .name = "maxid",
     .type = Type::UnsignedInt,
     .format = "IU",
     .read = constant<std::uint32_t{kMaxCpus - 1}>},
};
constexpr std::span<const Node> kSmpNodes = kSmp;

constexpr Node kThreads[] = {int_node<kMaxProcesses>(256, "max_threads_per_proc")};
constexpr std::span<const Node> kThreadsNodes = kThreads;

// feature_present(3)
constexpr Node kFeatures[] = {int_node<1>(256, "inet"), int_node<1>(257, "inet6"),
                              int_node<1>(258, "posix_shm")};
constexpr std::span<const Node> kFeaturesNodes = kFeatures;

constexpr Node kSched[] = {text_node<kScheduler>(256, "name"),
                           int_node<kCpuSetSize>(257, "cpusetsize")};
constexpr std::span<const Node> kSchedNodes = kSched;

constexpr Node kTimecounter[] = {text_node<kTsc>(256, "hardware")};
constexpr std::span<const Node> kTimecounterNodes = kTimecounter;

constexpr Node kKern[] = {
    text_node<kSystemName>(1, "ostype"),
    text_node<kRelease>(2, "osrelease"),
    int_node<kRevision>(3, "osrevision"),
    text_node<kVersion>(4, "version"),
    int_node<kMaxFiles>(5, "maxvnodes"),
    int_node<kMaxProcesses>(6, "maxproc"),
    int_node<kMaxFiles>(7, "maxfiles"),
    int_node<kArgMax>(8, "argmax"),
    int_node<-1>(9, "securelevel"),
    {.number = 10,
     .name = "hostname",
     .type = Type::String,
     .format = "A",
     .read = read_host_name,
     .write = write_host_name},
    long_node<0>(11, "hostid"),
    {.number = 12,
     .name = "clockrate",
     .type = Type::Opaque,
     .format = "S,clockinfo",
     .read = read_clock_rate},
    tree_node(14, "proc", kern_proc_nodes),
    int_node<kPosix>(17, "posix1version"),
    int_node<kGroups>(18, "ngroups"),
    int_node<1>(19, "job_control"),
    int_node<1>(20, "saved_ids"),
    {.number = 21,
     .name = "boottime",
     .type = Type::Opaque,
     .format = "S,timeval",
     .read = read_boot_time},
    text_node<kEmpty>(22, "domainname"),
    int_node<kReleaseDate>(24, "osreldate"),
    text_node<kBootFile>(26, "bootfile"),
    int_node<kMaxFiles>(27, "maxfilesperproc"),
    int_node<kMaxProcesses>(28, "maxprocperuid"),
    tree_node(30, "ipc", kIpcNodes),
    long_node<kProgramStrings>(32, "ps_strings"),
    long_node<kStackTop>(33, "usrstack"),
    int_node<1>(34, "logsigexit"),
    int_node<kIovMax>(35, "iov_max"),
    text_node<kNoUuid>(36, "hostuuid"),
    {.number = 37, .name = "arandom", .type = Type::Opaque, .format = "", .read = read_random},
    tree_node(256, "smp", kSmpNodes),
    tree_node(257, "sched", kSchedNodes),
    tree_node(258, "timecounter", kTimecounterNodes),
    text_node<kGeneric>(259, "ident"),
    int_node<2048>(261, "fscale"),
    {.number = 262,
     .name = "ccpu",
     .type = Type::UnsignedInt,
     .format = "IU",
     .read = constant<std::uint32_t{1948}>},  // exp(-1/20) of fscale
    int_node<3>(263, "stackprot"),            // PROT_READ | PROT_WRITE
    int_node<99999>(264, "pid_max"),
    {.number = 275, .name = "lastpid", .type = Type::Int, .format = "I", .read = number<newest_id>},
    text_node<kMachine>(265, "supported_archs"),
    text_node<kNone>(266, "vm_guest"),
    {.number = 267,
     .name = "cp_times",
     .type = Type::Long,
     .format = "LU",
     .read = read_every_cpu_times},
    tree_node(268, "threads", kThreadsNodes),
    tree_node(269, "features", kFeaturesNodes),
    int_node<0>(271, "sugid_coredump"),
    text_node<kEmpty>(272, "disks"),
    text_node<kCoreFile>(273, "corefile"),
    {.number = 274, .name = "devname", .type = Type::String, .format = "", .ask = read_device_name},
    {.number = 260, .name = "cp_time", .type = Type::Long, .format = "LU", .read = read_cpu_times},
    tree_node(276, "elf64", kElf64Nodes),
};

}  // namespace

const std::span<const Node> kern_nodes = kKern;

}  // namespace skep::kernel::sysctl
