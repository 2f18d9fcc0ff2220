// What rtld, libc, libthr, ps, sysctl(8) and the like ask of the sysctl tree: sys/sysctl.h,
// sys/user.h.
#include "system.hpp"

#include <initializer_list>

namespace bsd {
namespace {

char buffer[64 * 1024];

// sysctlbyname(3) as the C library did it before FreeBSD 13: the name's numbers, then the value.
long by_name(const char* name, void* value, std::uint64_t* size) {
    const int question[2] = {0, 3};
    int numbers[24];
    std::uint64_t numbers_size = sizeof numbers;
    if (const long r = sys(202, question, 2, numbers, &numbers_size, name, length(name)); r < 0)
        return r;
    return sys(202, numbers, numbers_size / sizeof numbers[0], value, size, 0, 0);
}

bool integers() {
    const struct {
        const char* name;
        int least;
    } kNames[] = {
        {"kern.osreldate", 1400000},   {"hw.ncpu", 1},
        {"hw.pagesize", 4096},         {"kern.maxproc", 16},
        {"kern.maxfilesperproc", 64},  {"kern.argmax", 4096},
        {"kern.ngroups", 16},          {"kern.iov_max", 16},
        {"kern.smp.maxcpus", 1},       {"kern.smp.cpus", 1},
        {"kern.ipc.soacceptqueue", 1}, {"kern.fscale", 1},
        {"security.jail.jailed", 0},   {"security.bsd.see_other_uids", 0},
        {"vm.overcommit", 0},          {"kern.securelevel", -1},
        {"kern.stackprot", 3},         {"kern.features.inet", 1},
        {"kern.pid_max", 100},
    };
    for (const auto& n : kNames) {
        int value = -100;
        std::uint64_t size = sizeof value;
        if (const long r = by_name(n.name, &value, &size);
            r != 0 || size != sizeof value || value < n.least) {
            print("# ");
            print(n.name);
            return complain("sysctl", r ? r : value);
        }
    }
    return true;
}

bool texts() {
    const struct {
        const char *name, *prefix;
    } kNames[] = {{"kern.ostype", "FreeBSD"},  {"kern.osrelease", "14."},
                  {"hw.machine", "amd64"},     {"hw.machine_arch", "amd64"},
                  {"kern.version", "FreeBSD"}, {"kern.hostname", ""},
                  {"user.cs_path", "/"}};
    for (const auto& n : kNames) {
        std::uint64_t size = sizeof buffer;
        EXPECT_CALL(sys(570, n.name, length(n.name), buffer, &size, 0, 0),
                    0);  // __sysctlbyname, since 13
        EXPECT(size == length(buffer) + 1 && starts_with(buffer, n.prefix));
    }
    return true;
}

bool numbers_without_names() {
    std::uint64_t place = 0, size = sizeof place;
    const int strings[2] = {1, 32}, stack[2] = {1, 33};
    EXPECT_CALL(sys(202, strings, 2, &place, &size, 0, 0), 0);
    EXPECT(place == start.find(32));
    EXPECT_CALL(sys(202, stack, 2, &place, &size, 0, 0), 0);
    EXPECT(place == start.find(35));
    std::uint64_t random[2] = {};
    size = sizeof random;
    const int entropy[2] = {1, 37};  // kern.arandom, as arc4random(3) of FreeBSD 10 and 11 reads it
    EXPECT_CALL(sys(202, entropy, 2, random, &size, 0, 0), 0);
    EXPECT(size == sizeof random && random[0] && random[1]);
    size = 128;
    EXPECT_CALL(sys(202, entropy, 2, buffer, &size, 0, 0), 0);
    EXPECT_CALL(size, 128);
    return true;
}

bool a_small_buffer() {
    char little[3];
    std::uint64_t size = sizeof little;
    EXPECT_CALL(by_name("kern.ostype", little, &size), -kEnomem);
    size = 0;
    EXPECT_CALL(by_name("kern.ostype", nullptr, &size), 0);
    EXPECT_CALL(size, 8);
    EXPECT_CALL(by_name("kern.no_such_name", nullptr, &size), -kEnoent);
    return true;
}

template <typename T>
T at(const char* record, std::size_t offset) {
    T value;
    __builtin_memcpy(&value, record + offset, sizeof value);
    return value;
}

// kvm_getprocs(KERN_PROC_PROC): struct kinfo_proc, 1088 bytes each.
bool every_process() {
    const int question[3] = {1, 14, 8};
    std::uint64_t size = 0;
    EXPECT_CALL(sys(202, question, 3, 0, &size, 0, 0), 0);
    EXPECT(size > 0 && size % 1088 == 0);
    size = sizeof buffer;
    EXPECT_CALL(sys(202, question, 3, buffer, &size, 0, 0), 0);
    EXPECT(size >= 2 * 1088 && size % 1088 == 0);
    const long me = sys(20);
    for (const char* p = buffer; p < buffer + size; p += 1088) {
        EXPECT_CALL(at<std::int32_t>(p, 0), 1088);
        if (at<std::int32_t>(p, 72) != me)
            continue;
        EXPECT(at<std::int32_t>(p, 76) == sys(39) && at<std::int32_t>(p, 80) == sys(81));
        EXPECT(at<std::int8_t>(p, 388) == 2);  // SRUN
        EXPECT(equal(p + 447, "program"));
        EXPECT(at<std::uint64_t>(p, 256) > 4096 && at<std::int64_t>(p, 264) > 0);
        EXPECT(at<std::int64_t>(p, 336) > 1'000'000'000);  // started
        EXPECT(at<std::int32_t>(p, 596) == 1 && at<std::int32_t>(p, 600) > 0);
        return true;
    }
    return complain("the own process is listed", me);
}

bool one_process() {
    const int mine[4] = {1, 14, 1, static_cast<int>(sys(20))}, nobody[4] = {1, 14, 1, 99998};
    std::uint64_t size = sizeof buffer;
    EXPECT_CALL(sys(202, mine, 4, buffer, &size, 0, 0), 0);
    EXPECT_CALL(size, 1088);
    size = sizeof buffer;
    EXPECT_CALL(sys(202, nobody, 4, buffer, &size, 0, 0), -kEsrch);
    const int threads[4] = {1, 14, 1 | 0x10, mine[3]};
    size = sizeof buffer;
    EXPECT_CALL(sys(202, threads, 4, buffer, &size, 0, 0), 0);
    EXPECT_CALL(size, 1088);
    return true;
}

// ps(1) as libkvm and it ask: the size, a tenth more, the list, and again while it has grown; then
// of each process its arguments. What it shows of a sleeping process.
bool ps_sequence() {
    const auto child = call(2);
    if (!child.failed && child.value == 0)
        for (;;)
            sys(341, &start.words[0] - 1);  // sigsuspend: nothing comes
    const int question[3] = {1, 14, 8};     // KERN_PROC_PROC
    bool seen = false;
    for (int round = 0; round < 2000 && !seen; round++) {
        std::uint64_t size = 0, asked;
        EXPECT_CALL(sys(202, question, 3, 0, &size, 0, 0), 0);
        long got;
        do {
            size += size / 10;
            EXPECT(size <= sizeof buffer);
            asked = size;
            got = sys(202, question, 3, buffer, &size, 0, 0);
        } while (got == -kEnomem && size == asked);
        EXPECT_CALL(got, 0);
        for (const char* p = buffer; p < buffer + size && !seen; p += 1088)
            if (at<std::int32_t>(p, 72) == child.signed_value() && at<std::int8_t>(p, 388) == 3) {
                EXPECT(at<std::int64_t>(p, 1080) & 8);          // TDF_SINTR: state S, not D
                EXPECT(at<std::int64_t>(p, 368) & 0x10000000);  // P_INMEM: not swapped
                EXPECT(equal(p + 420, "root"));                 // ki_login
                seen = true;
            }
        sys(331);
    }
    EXPECT(seen);
    for (const char* name : {"kern.ccpu", "kern.fscale"}) {
        int value = 0;
        std::uint64_t size = sizeof value;
        EXPECT_CALL(by_name(name, &value, &size), 0);
        EXPECT(size == 4 && value > 0);
    }
    std::uint64_t pages = 0, size = sizeof pages;
    EXPECT_CALL(by_name("hw.availpages", &pages, &size), 0);
    EXPECT(size == 8 && pages > 0);
    const int arguments[4] = {1, 14, 7, static_cast<int>(child.value)};
    char little[8];
    size = sizeof little;  // longer than it: ENOMEM, and what fits is there
    EXPECT_CALL(sys(202, arguments, 4, little, &size, 0, 0), -kEnomem);
    EXPECT(size == sizeof little && starts_with("/root/program", "/root/") && little[0] == '/');
    EXPECT_CALL(sys(37, child.value, 9), 0);
    EXPECT_CALL(sys(7, child.value, 0, 0, 0), child.signed_value());
    return true;
}

// top(1) ends if one of these has another size than it expects.
bool top_sequence() {
    const struct {
        const char* name;
        std::uint64_t size;
    } kNames[] = {{"kern.ccpu", 4},
                  {"kern.smp.maxcpus", 4},
                  {"kern.cp_time", 40},
                  {"vm.loadavg", 24},
                  {"kern.lastpid", 4},
                  {"vfs.bufspace", 8},
                  {"vm.stats.vm.v_active_count", 4},
                  {"vm.stats.vm.v_inactive_count", 4},
                  {"vm.stats.vm.v_laundry_count", 4},
                  {"vm.stats.vm.v_wire_count", 4},
                  {"vm.stats.vm.v_free_count", 4},
                  {"vm.stats.vm.v_swappgsin", 8},
                  {"vm.stats.vm.v_swappgsout", 8},
                  {"vm.stats.vm.v_swappgsin", 4},  // before FreeBSD 12
                  {"vm.stats.vm.v_cache_count", 4}};
    for (const auto& n : kNames) {
        std::uint64_t size = n.size;
        if (const long r = by_name(n.name, buffer, &size); r != 0 || size != n.size) {
            print("# ");
            print(n.name);
            return complain("sysctl", r ? r : static_cast<long>(size));
        }
    }
    return true;
}

// ps(1) shows what setproctitle(3) has set.
bool arguments_of_a_process() {
    const int question[4] = {1, 14, 7, static_cast<int>(sys(20))};
    std::uint64_t size = sizeof buffer;
    EXPECT_CALL(sys(202, question, 4, buffer, &size, 0, 0), 0);
    EXPECT(equal(buffer, "/root/program") && equal(buffer + 14, "first"));
    const char title[] = "program: a title";
    EXPECT_CALL(sys(202, question, 4, 0, 0, title, sizeof title), 0);
    size = sizeof buffer;
    EXPECT_CALL(sys(202, question, 4, buffer, &size, 0, 0), 0);
    EXPECT(size == sizeof title && equal(buffer, title));
    return true;
}

bool places_of_a_process() {
    const int path[4] = {1, 14, 12, -1};
    std::uint64_t size = sizeof buffer;
    EXPECT_CALL(sys(202, path, 4, buffer, &size, 0, 0), 0);
    EXPECT(equal(buffer, "/root/program"));
    struct {
        std::uint64_t first, last, spare[4];
    } trampoline{};
    const int question[4] = {1, 14, 41, static_cast<int>(sys(20))};
    size = sizeof trampoline;
    EXPECT_CALL(sys(202, question, 4, &trampoline, &size, 0, 0), 0);
    EXPECT(trampoline.first && trampoline.last > trampoline.first);
    return true;
}

// getvfsbyname(3): tar(1) gives up on a file system that it cannot find there. struct xvfsconf, 48
// bytes each.
bool file_system_kinds() {
    static char mounted[2344];
    EXPECT_CALL(sys(555, "/dev", mounted), 0);
    std::uint64_t size = sizeof buffer;
    EXPECT_CALL(by_name("vfs.conflist", buffer, &size), 0);
    EXPECT(size > 0 && size % 48 == 0);
    for (const char* p = buffer; p < buffer + size; p += 48)
        if (equal(p + 8, mounted + 280)) {  // f_fstypename
            EXPECT(at<std::int32_t>(p, 28) >= 1 &&
                   at<std::int32_t>(p, 32) & 0x80000);  // mounted; VFCF_SYNTHETIC
            return true;
        }
    return complain("the type of /dev is listed", static_cast<long>(size));
}

// devname(3): with a dev_t of 64 bits, and of 32 as before FreeBSD 12.
bool names_of_devices() {
    static char stat[224];
    EXPECT_CALL(sys(552, -100, "/dev/null", stat, 0), 0);
    const auto device = at<std::uint64_t>(stat, 40);
    const auto old_device = static_cast<std::uint32_t>(device);
    const std::uint64_t nothing = 0x7777;
    std::uint64_t size = sizeof buffer;
    EXPECT_CALL(sys(570, "kern.devname", 12, buffer, &size, &device, sizeof device), 0);
    EXPECT(equal(buffer, "null"));
    size = sizeof buffer;
    EXPECT_CALL(sys(570, "kern.devname", 12, buffer, &size, &old_device, sizeof old_device), 0);
    EXPECT(equal(buffer, "null") && size == 5);
    EXPECT_CALL(sys(570, "kern.devname", 12, buffer, &size, &nothing, sizeof nothing), -kEnoent);
    EXPECT_CALL(sys(570, "kern.devname", 12, buffer, &size, 0, 0), -kEinval);
    return true;
}

// ps(1) without -x shows the processes that have a terminal.
bool terminals_of_processes() {
    const auto child = call(2);
    if (!child.failed && child.value == 0) {
        sys(147);  // setsid: a session of its own, and a terminal for it
        const long master = sys(504, 2 | 0x8000);  // posix_openpt(O_RDWR | O_NOCTTY)
        char name[64] = "/dev/";
        const struct {
            std::int32_t size, padding;
            char* buffer;
        } request{sizeof name - 5, 0, name + 5};
        if (master < 0 || sys(54, master, 0x80106678, &request) != 0)  // FIODGNAME
            exit_with(1);
        const long terminal = sys(5, name, 2, 0);
        static char stat[224];
        if (terminal < 0 || sys(54, terminal, 0x20007461, 0) != 0 ||
            sys(551, terminal, stat) != 0)  // TIOCSCTTY
            exit_with(2);
        const auto device = at<std::uint64_t>(stat, 40);
        const int by_terminal[4] = {1, 14, 4, static_cast<int>(device)};  // KERN_PROC_TTY
        std::uint64_t size = sizeof buffer;
        if (sys(202, by_terminal, 4, buffer, &size, 0, 0) != 0 || size != 1088 ||
            at<std::int32_t>(buffer, 72) != sys(20))
            exit_with(3);
        // ki_tdev, ki_tpgid, P_CONTROLT and the old ki_tdev.
        const bool told = at<std::uint64_t>(buffer, 560) == device &&
                          at<std::int32_t>(buffer, 84) == sys(20) &&
                          at<std::int64_t>(buffer, 368) & 2 &&
                          at<std::uint32_t>(buffer, 100) == static_cast<std::uint32_t>(device);
        std::uint64_t name_size = sizeof buffer;
        if (!told ||
            sys(570, "kern.devname", 12, buffer, &name_size, &device, sizeof device) != 0 ||
            !equal(buffer, name + 5))
            exit_with(4);
        exit_with(0);
    }
    std::int32_t status = 0;
    EXPECT_CALL(sys(7, child.value, &status, 0, 0), child.signed_value());
    EXPECT_CALL(status, 0);
    return true;
}

bool memory_figures() {
    for (const char* name :
         {"vm.loadavg", "vm.vmtotal", "hw.physmem", "hw.usermem", "hw.realmem", "kern.boottime",
          "kern.clockrate", "kern.cp_time", "kern.cp_times", "vm.stats.vm.v_page_count",
          "vm.stats.vm.v_free_count", "hw.pagesizes", "hw.availpages"}) {
        std::uint64_t size = sizeof buffer;
        if (const long r = by_name(name, buffer, &size); r != 0 || size == 0) {
            print("# ");
            print(name);
            return complain("sysctl", r);
        }
    }
    return true;
}

// The tests run under hv.
bool hypervisor() {
    std::uint64_t size = sizeof buffer;
    EXPECT_CALL(by_name("hw.hv.name", buffer, &size), 0);
    EXPECT_CALL(buffer[0] == 'h' && buffer[1] == 'v' && buffer[2] == '/', 1);
    for (const char* name : {"hw.hv.hypercalls", "hw.hv.pool_frames_free", "hw.hv.memory"}) {
        std::uint64_t value = 0;
        size = sizeof value;
        EXPECT_CALL(by_name(name, &value, &size), 0);
        EXPECT_CALL(size, 8);
        EXPECT_CALL(value > 0, 1);
    }
    std::uint64_t exits = ~0ull;
    size = sizeof exits;
    EXPECT_CALL(by_name("hw.hv.guest_exits.io", &exits, &size), 0);
    EXPECT_CALL(exits, 0);
    return true;
}

// kern.proc.{env,auxv,vmmap,filedesc,cwd}, as procstat(1) and fstat(1) ask.
long of_me(std::int32_t what, void* to, std::uint64_t* size) {
    const std::int32_t name[] = {1, 14, what, -1};
    return sys(202, name, 4, to, size, 0, 0);
}

bool environment_and_auxiliary() {
    std::uint64_t size = sizeof buffer;
    EXPECT_CALL(of_me(35, buffer, &size), 0);
    const char* p = buffer;
    for (const std::uint64_t* e = start.environment(); *e; e++) {
        EXPECT(p < buffer + size && equal(p, reinterpret_cast<const char*>(*e)));
        p += length(p) + 1;
    }
    EXPECT(p == buffer + size);
    size = sizeof buffer;
    EXPECT_CALL(of_me(36, buffer, &size), 0);
    const std::uint64_t* a = start.auxiliary();
    std::uint64_t pairs = 1;
    while (a[2 * (pairs - 1)])
        pairs++;
    EXPECT_CALL(size, pairs * 16);
    for (std::uint64_t i = 0; i < 2 * pairs; i++)
        EXPECT(at<std::uint64_t>(buffer, 8 * i) == a[i]);
    return true;
}

bool address_space() {
    std::uint64_t size = sizeof buffer, on_stack = word(&size);
    EXPECT_CALL(of_me(32, buffer, &size), 0);
    bool stack = false, text = false;
    std::uint64_t last = 0;
    const char* p = buffer;
    while (p < buffer + size) {
        const std::uint64_t from = at<std::uint64_t>(p, 8), to = at<std::uint64_t>(p, 16);
        EXPECT(from >= last && to > from);
        last = to;
        if (from <= on_stack && on_stack < to)
            stack = at<std::int32_t>(p, 56) == 3 && at<std::int32_t>(p, 48) > 0;
        if (at<std::int32_t>(p, 4) == 2 && equal(p + 136, "/root/program"))
            text = text || at<std::int32_t>(p, 56) == 5;
        EXPECT(at<std::int32_t>(p, 0) > 136);
        p += at<std::int32_t>(p, 0);
    }
    EXPECT(p == buffer + size && stack && text);
    return true;
}

bool open_files() {
    const long file = sys(499, -100, "/tmp/procstat", 0x200 | 2, 0600);  // O_CREAT | O_RDWR
    EXPECT(file >= 0);
    EXPECT_CALL(sys(4, file, "abc", 3), 3);
    std::int32_t pair[2], pipes[2];
    EXPECT_CALL(sys(135, 1, 1, 0, pair), 0);  // socketpair
    EXPECT_CALL(sys(542, pipes, 0), 0);       // pipe2
    char here[1024];
    EXPECT_CALL(sys(326, here, sizeof here), 0);  // __getcwd
    std::uint64_t size = sizeof buffer;
    EXPECT_CALL(of_me(33, buffer, &size), 0);
    int seen = 0;
    for (const char* p = buffer; p < buffer + size; p += at<std::int32_t>(p, 0)) {
        const std::int32_t type = at<std::int32_t>(p, 4), number = at<std::int32_t>(p, 8);
        EXPECT(at<std::int32_t>(p, 0) > 368);
        if (number == -5)
            seen |= type == 1 && equal(p + 368, "/root/program") ? 1 : 0;
        else if (number == -1)
            seen |= type == 1 && at<std::int32_t>(p, 32) == 2 && equal(p + 368, here) ? 2 : 0;
        else if (number == file)
            seen |= type == 1 && at<std::int32_t>(p, 16) == 3 && at<std::int64_t>(p, 24) == 3 &&
                            at<std::uint64_t>(p, 312) == 3 &&
                            at<std::uint16_t>(p, 328) == (0100000 | 0600) &&
                            equal(p + 368, "/tmp/procstat")
                        ? 4
                        : 0;
        else if (number == pair[0])
            seen |=
                type == 2 && at<std::int32_t>(p, 36) == 1 && at<std::int32_t>(p, 40) == 1 ? 8 : 0;
        else if (number == pipes[0])
            seen |= type == 3 ? 16 : 0;
    }
    EXPECT_CALL(seen, 31);
    size = sizeof buffer;
    EXPECT_CALL(of_me(42, buffer, &size), 0);
    EXPECT(at<std::int32_t>(buffer, 8) == -1 && equal(buffer + 368, here));
    for (const std::int32_t each :
         {static_cast<std::int32_t>(file), pair[0], pair[1], pipes[0], pipes[1]})
        EXPECT_CALL(sys(6, each), 0);
    EXPECT_CALL(sys(10, "/tmp/procstat"), 0);
    return true;
}

// Another user's are not to be seen.
bool private_records() {
    const auto child = call(2);
    if (!child.failed && child.value == 0) {
        bool fine = sys(23, 1000) == 0;  // setuid
        for (const std::int32_t what : {32, 33, 35, 36, 42}) {
            const std::int32_t name[] = {1, 14, what, 1};
            std::uint64_t size = sizeof buffer;
            fine = fine && sys(202, name, 4, buffer, &size, 0, 0) == -kEperm;
        }
        exit_with(fine ? 9 : 10);
    }
    std::int32_t status = 0;
    EXPECT_CALL(sys(7, child.value, &status, 0, 0), child.signed_value());
    EXPECT_CALL(status, 9 << 8);
    return true;
}

}  // namespace

void sysctl_cases() {
    const Case cases[] = {
        {"sysctl_integers", integers},
        {"procstat_memory", environment_and_auxiliary},
        {"procstat_map", address_space},
        {"procstat_files", open_files},
        {"procstat_private", private_records},
        {"sysctl_texts", texts},
        {"sysctl_numbers", numbers_without_names},
        {"sysctl_small_buffer", a_small_buffer},
        {"kinfo_every_process", every_process},
        {"kinfo_one_process", one_process},
        {"ps_sequence", ps_sequence},
        {"top_sequence", top_sequence},
        {"process_arguments", arguments_of_a_process},
        {"process_places", places_of_a_process},
        {"sysctl_memory", memory_figures},
        {"sysctl_hypervisor", hypervisor},
        {"vfs_conflist", file_system_kinds},
        {"devname", names_of_devices},
        {"process_terminal", terminals_of_processes},
    };
    run_cases(cases, sizeof cases / sizeof cases[0]);
}

}  // namespace bsd
