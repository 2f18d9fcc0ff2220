#include <kernel/sysctl/values.hpp>

namespace skep::kernel::sysctl {

namespace {

// sys/sysctl.h, CTL_*; numbers from 256 on are our own, as automatic ones are FreeBSD's.
constexpr Node kRoot[] = {
    tree_node(1, "kern", kern_nodes),
    tree_node(2, "vm", vm_nodes),
    tree_node(3, "vfs", vfs_nodes),
    tree_node(4, "net", net_nodes),
    tree_node(6, "hw", hw_nodes),
    tree_node(7, "machdep", machdep_nodes),
    tree_node(8, "user", user_nodes),
    tree_node(9, "p1003_1b", posix_nodes),
    tree_node(256, "security", security_nodes),
};

}  // namespace

const std::span<const Node> root = kRoot;

}  // namespace skep::kernel::sysctl
