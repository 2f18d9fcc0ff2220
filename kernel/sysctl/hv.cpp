// hw.hv: the hypervisor below and what it counts; NoEnt where there is none.
#include <kernel/arch/x86_64/hv_counters.hpp>
#include <kernel/sysctl/values.hpp>

#include <utility>

namespace skep::kernel::sysctl {

namespace {

constexpr std::int32_t kFirst = 256;

Result<> read_name(Numbers, Value& out) {
    if (!under_hv())
        return fail(Errno::NoEnt);
    return out.put_text(host_info().name);
}
Result<> read_memory(Numbers, Value& out) {
    if (!under_hv())
        return fail(Errno::NoEnt);
    return out.put(host_info().hv_size);
}
template <std::size_t Index>
Result<> read_counter(Numbers, Value& out) {
    return out.put(SKEP_TRY(hv_counters()).*kHvCounters[Index].value);
}
template <std::size_t Reason>
Result<> read_exits(Numbers, Value& out) {
    return out.put(SKEP_TRY(hv_counters()).guest_exits[Reason]);
}

constexpr Node counter(std::size_t number, std::string_view name,
                       Result<> (*read)(Numbers, Value&)) {
    return {.number = kFirst + static_cast<std::int32_t>(number),
            .name = name,
            .type = Type::Unsigned64,
            .format = "QU",
            .read = read};
}

constexpr auto kExits = []<std::size_t... Reason>(std::index_sequence<Reason...>) {
    return std::array{counter(Reason, kHvExitNames[Reason], read_exits<Reason>)...};
}
(std::make_index_sequence<kHvExitNames.size()>());
constexpr std::span<const Node> kExitNodes = kExits;

constexpr auto kHv = []<std::size_t... Index>(std::index_sequence<Index...>) {
    return std::array{
        Node{.number = kFirst,
             .name = "name",
             .type = Type::String,
             .format = "A",
             .read = read_name},
        counter(1, "memory", read_memory),
        tree_node(kFirst + 2, "guest_exits", kExitNodes),
        counter(3 + Index, kHvCounters[Index].name, read_counter<Index>)...,
    };
}
(std::make_index_sequence<kHvCounters.size()>());

}  // namespace

const std::span<const Node> hv_nodes = kHv;

}  // namespace skep::kernel::sysctl
