// Readers of plain values, for tables of nodes.
#pragma once

#include <kernel/sysctl/node.hpp>

namespace skep::kernel::sysctl {

template <auto Constant>
Result<> constant(Numbers, Value& out) {
    return out.put(Constant);
}
template <auto Function>
Result<> number(Numbers, Value& out) {
    return out.put(Function());
}
template <const std::string_view& Text>
Result<> text(Numbers, Value& out) {
    return out.put_text(Text);
}

// Rows of tables.
template <std::int32_t Constant>
constexpr Node int_node(std::int32_t number, std::string_view name) {
    return {.number = number,
            .name = name,
            .type = Type::Int,
            .format = "I",
            .read = constant<Constant>};
}
template <std::uint64_t Constant>
constexpr Node long_node(std::int32_t number, std::string_view name) {
    return {.number = number,
            .name = name,
            .type = Type::UnsignedLong,
            .format = "LU",
            .read = constant<Constant>};
}
template <const std::string_view& Text>
constexpr Node text_node(std::int32_t number, std::string_view name) {
    return {
        .number = number, .name = name, .type = Type::String, .format = "A", .read = text<Text>};
}
constexpr Node tree_node(std::int32_t number, std::string_view name,
                         const std::span<const Node>& children) {
    return {.number = number, .name = name, .children = &children};
}

// Of the topics' files.
extern const std::span<const Node> kern_nodes, kern_proc_nodes, hw_nodes, vm_nodes, user_nodes,
    hv_nodes, net_nodes, machdep_nodes, posix_nodes, security_nodes, vfs_nodes, debug_nodes;

}  // namespace skep::kernel::sysctl
