// hw.*, vm.*, machdep.*: sys/sysctl.h, HW_*; vm/vm_param.h.
#include <kernel/abi/freebsd/release.hpp>
#include <kernel/arch/x86_64/cpu.hpp>
#include <kernel/arch/x86_64/percpu.hpp>
#include <kernel/mm/physical.hpp>
#include <kernel/sched/clock.hpp>
#include <kernel/sched/load.hpp>
#include <kernel/sysctl/values.hpp>

namespace skep::kernel::sysctl {

namespace {

using namespace freebsd_abi;

// SDM volume 2A, CPUID: leaves 0x80000002..4 hold the brand string.
Result<> read_model(Numbers, Value& out) {
    constexpr std::uint32_t kFirst = 0x8000'0002, kLast = 0x8000'0004;
    char text[49] = {};
    std::size_t at = 0;
    for (std::uint32_t leaf = kFirst; leaf <= kLast; leaf++) {
        const CpuidResult r = cpuid(leaf);
        for (const std::uint32_t part : {r.eax, r.ebx, r.ecx, r.edx}) {
            std::memcpy(text + at, &part, sizeof part);
            at += sizeof part;
        }
    }
    return out.put_text(text);
}

std::int32_t cpus_online() {
    return static_cast<std::int32_t>(cpu_count);
}
std::uint64_t physical_memory() {
    return memory_use().total_frames * kPageSize;
}
std::uint64_t user_memory() {
    return memory_use().free_frames * kPageSize;
}
std::uint64_t available_pages() {
    return memory_use().total_frames;
}

Result<> read_page_sizes(Numbers, Value& out) {
    const std::uint64_t sizes[3] = {kPageSize, kLargePageSize, 0};
    return out.put(sizes);
}

constexpr Node kHw[] = {
    text_node<kMachine>(1, "machine"),
    {.number = 2, .name = "model", .type = Type::String, .format = "A", .read = read_model},
    {.number = 3, .name = "ncpu", .type = Type::Int, .format = "I", .read = number<cpus_online>},
    int_node<1234>(4, "byteorder"),
    {.number = 5,
     .name = "physmem",
     .type = Type::UnsignedLong,
     .format = "LU",
     .read = number<physical_memory>},
    {.number = 6,
     .name = "usermem",
     .type = Type::UnsignedLong,
     .format = "LU",
     .read = number<user_memory>},
    int_node<kPageSize>(7, "pagesize"),
    int_node<1>(10, "floatingpoint"),
    text_node<kMachine>(11, "machine_arch"),
    {.number = 12,
     .name = "realmem",
     .type = Type::UnsignedLong,
     .format = "LU",
     .read = number<physical_memory>},
    {.number = 256,
     .name = "availpages",
     .type = Type::UnsignedLong,
     .format = "LU",
     .read = number<available_pages>},
    {.number = 257,
     .name = "pagesizes",
     .type = Type::UnsignedLong,
     .format = "LU",
     .read = read_page_sizes},
    tree_node(258, "hv", hv_nodes),
};

// --- vm ---

Result<> read_load(Numbers, Value& out) {
    struct Load {
        std::uint32_t averages[3];
        std::int64_t scale;
    };
    const LoadAverages now = load_averages();
    return out.put(Load{{now[0], now[1], now[2]}, kLoadScale});
}

Result<> read_total(Numbers, Value& out) {
    struct Total {  // sys/vmmeter.h, struct vmtotal
        std::uint64_t virtual_all, virtual_active, real_all, real_active, shared_virtual,
            shared_virtual_active, shared_real, shared_real_active, free;
        std::int16_t runnable, disk_wait, page_wait, sleeping, swapped;
        std::uint16_t padding[3];
    };
    static_assert(sizeof(Total) == 88);
    const MemoryUse use = memory_use();
    Total total{};
    total.real_all = total.real_active = use.total_frames - use.free_frames;
    total.free = use.free_frames;
    return out.put(total);
}

std::uint32_t total_pages() {
    return static_cast<std::uint32_t>(memory_use().total_frames);
}
std::uint32_t free_pages() {
    return static_cast<std::uint32_t>(memory_use().free_frames);
}
std::uint32_t used_pages() {
    return total_pages() - free_pages();
}
constexpr Node unsigned_node(std::int32_t number, std::string_view name,
                             Result<> (*read)(Numbers, Value&)) {
    return {
        .number = number, .name = name, .type = Type::UnsignedInt, .format = "IU", .read = read};
}

// Counters had 32 bits before FreeBSD 12; who has room for no more gets those.
Result<> read_no_events(Numbers, Value& out) {
    if (out.room == sizeof(std::uint32_t))
        return out.put(std::uint32_t{0});
    return out.put(std::uint64_t{0});
}
constexpr Node counter_node(std::int32_t number, std::string_view name) {
    return {.number = number,
            .name = name,
            .type = Type::Unsigned64,
            .format = "QU",
            .read = read_no_events};
}

constexpr Node kVmStatsVm[] = {
    unsigned_node(256, "v_page_size", constant<std::uint32_t{kPageSize}>),
    unsigned_node(257, "v_page_count", number<total_pages>),
    unsigned_node(258, "v_free_count", number<free_pages>),
    unsigned_node(259, "v_active_count", number<used_pages>),
    unsigned_node(260, "v_inactive_count", constant<std::uint32_t{0}>),
    unsigned_node(261, "v_wire_count", constant<std::uint32_t{0}>),
    unsigned_node(262, "v_cache_count", constant<std::uint32_t{0}>),
    unsigned_node(263, "v_laundry_count", constant<std::uint32_t{0}>),
    counter_node(264, "v_swappgsin"),
    counter_node(265, "v_swappgsout"),
};
constexpr std::span<const Node> kVmStatsVmNodes = kVmStatsVm;
constexpr Node kVmStats[] = {tree_node(256, "vm", kVmStatsVmNodes)};
constexpr std::span<const Node> kVmStatsNodes = kVmStats;

constexpr Node kVm[] = {
    {.number = 1,
     .name = "vmtotal",
     .type = Type::Opaque,
     .format = "S,vmtotal",
     .read = read_total},
    {.number = 2,
     .name = "loadavg",
     .type = Type::Opaque,
     .format = "S,loadavg",
     .read = read_load},
    tree_node(256, "stats", kVmStatsNodes),
    {.number = 257,
     .name = "swap_total",
     .type = Type::Unsigned64,
     .format = "QU",
     .read = constant<std::uint64_t{0}>},
    int_node<0>(12, "overcommit"),
};

constexpr Node kMachdep[] = {
    {.number = 256,
     .name = "tsc_freq",
     .type = Type::Unsigned64,
     .format = "QU",
     .read = number<tsc_frequency>},
};

}  // namespace

const std::span<const Node> hw_nodes = kHw, vm_nodes = kVm, machdep_nodes = kMachdep;

}  // namespace skep::kernel::sysctl
