// user.*, p1003_1b.*, security.*, net.*: what C libraries ask for. sys/sysctl.h, USER_* and
// CTL_P1003_1B_*.
#include <kernel/sysctl/values.hpp>

namespace skep::kernel::sysctl {

namespace {

constexpr std::string_view kPath = "/usr/bin:/bin:/usr/sbin:/sbin", kLocalBase = "/usr/local";

constexpr Node kUser[] = {
    text_node<kPath>(1, "cs_path"),         int_node<99>(2, "bc_base_max"),
    int_node<2048>(3, "bc_dim_max"),        int_node<99>(4, "bc_scale_max"),
    int_node<1000>(5, "bc_string_max"),     int_node<2>(6, "coll_weights_max"),
    int_node<32>(7, "expr_nest_max"),       int_node<2048>(8, "line_max"),
    int_node<255>(9, "re_dup_max"),         int_node<199212>(10, "posix2_version"),
    int_node<0>(11, "posix2_c_bind"),       int_node<0>(12, "posix2_c_dev"),
    int_node<20>(19, "stream_max"),         int_node<255>(20, "tzname_max"),
    text_node<kLocalBase>(21, "localbase"),
};

constexpr Node kPosix[] = {
    int_node<200112>(2, "mapped_files"),
    int_node<200112>(3, "memlock"),
    int_node<200112>(4, "memlock_range"),
    int_node<200112>(5, "memory_protection"),
    int_node<200112>(9, "realtime_signals"),
    int_node<0>(8, "prioritized_io"),
    int_node<0>(10, "semaphores"),
    int_node<200112>(11, "fsync"),
    int_node<0>(12, "shared_memory_objects"),
    int_node<0>(13, "synchronized_io"),
    int_node<200112>(14, "timers"),
    int_node<0>(15, "aio_listio_max"),
    int_node<4096>(20, "pagesize"),
    int_node<62>(21, "rtsig_max"),
    int_node<32>(25, "timer_max"),
};

constexpr Node kJail[] = {int_node<0>(256, "jailed"), int_node<0>(257, "vnet")};
constexpr std::span<const Node> kJailNodes = kJail;
constexpr Node kBsd[] = {
    int_node<1>(256, "see_other_uids"),           int_node<1>(257, "see_other_gids"),
    int_node<1>(258, "unprivileged_proc_debug"),  int_node<0>(259, "hardlink_check_uid"),
    int_node<0>(260, "hardlink_check_gid"),       int_node<1>(261, "suser_enabled"),
    int_node<0>(262, "stack_guard_page"),         int_node<0>(263, "map_at_zero"),
    int_node<0>(264, "unprivileged_read_msgbuf"), int_node<0>(265, "unprivileged_mlock"),
};
constexpr std::span<const Node> kBsdNodes = kBsd;
constexpr Node kSecurity[] = {tree_node(256, "jail", kJailNodes), tree_node(257, "bsd", kBsdNodes)};

constexpr Node kIp[] = {int_node<0>(1, "forwarding"), int_node<64>(3, "ttl")};
constexpr std::span<const Node> kIpNodes = kIp;
constexpr Node kInet[] = {tree_node(0, "ip", kIpNodes)};
constexpr std::span<const Node> kInetNodes = kInet;
constexpr Node kNet[] = {tree_node(2, "inet", kInetNodes)};

}  // namespace

const std::span<const Node> user_nodes = kUser, posix_nodes = kPosix, security_nodes = kSecurity,
                            net_nodes = kNet;

}  // namespace skep::kernel::sysctl
