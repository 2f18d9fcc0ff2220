// The machine as a whole: names, memory, randomness, power.
#include <kernel/abi/linux/tables.hpp>
#include <kernel/dev/acpi/power.hpp>
#include <kernel/dev/random.hpp>
#include <kernel/mm/user.hpp>
#include <kernel/proc/credentials.hpp>
#include <kernel/sched/load.hpp>

#include <algorithm>
#include <cstring>

namespace skep::kernel::linux_abi {

namespace {

using Arguments = const std::uint64_t*;
using Returns = Result<std::uint64_t>;

constexpr std::size_t kNameSize = 65;
struct UtsName {
    char system[kNameSize], node[kNameSize], release[kNameSize], version[kNameSize],
        machine[kNameSize], domain[kNameSize];
};

static_assert(kNameSize == kHostNameSize);
SpinLock domain_lock("domain name");
char domain_name[kNameSize] = "(none)";

Returns uname(Arguments a) {
    UtsName n{};
    std::strcpy(n.system, "Linux");
    std::strcpy(n.release, "6.1.0-skep");
    std::strcpy(n.version, "#1 Skep control kernel");
    std::strcpy(n.machine, "x86_64");
    copy_host_name(n.node);
    {
        const SpinGuard guard(domain_lock);
        std::memcpy(n.domain, domain_name, kNameSize);
    }
    SKEP_TRY(copy_out(a[0], n));
    return 0;
}

Result<std::size_t> name_argument(Arguments a, char (&name)[kNameSize]) {
    if (a[1] >= kNameSize)
        return fail(Errno::Inval);
    SKEP_TRY(copy_in(name, a[0], a[1]));
    return a[1];
}
Returns sethostname(Arguments a) {
    char name[kNameSize];
    const std::size_t size = SKEP_TRY(name_argument(a, name));
    SKEP_TRY(set_host_name({name, size}));
    return 0;
}
Returns setdomainname(Arguments a) {
    char name[kNameSize] = {};
    SKEP_TRY(name_argument(a, name));
    if (current_process().credentials.effective_user != 0)
        return fail(Errno::Perm);
    const SpinGuard guard(domain_lock);
    std::memcpy(domain_name, name, kNameSize);
    return 0;
}

Returns sysinfo(Arguments a) {
    struct SystemInfo {
        std::int64_t uptime;
        std::uint64_t loads[3], total, free, shared, buffers, total_swap, free_swap;
        std::uint16_t processes, padding;
        std::uint32_t padding2;
        std::uint64_t total_high, free_high;
        std::uint32_t unit, padding3;
    } info{};
    static_assert(sizeof info == 112);
    const MemoryUse memory = memory_use();
    info.uptime = static_cast<std::int64_t>(monotonic_now() / 1'000'000'000);
    constexpr unsigned kLoadShift = 16;  // SI_LOAD_SHIFT
    const LoadAverages loads = load_averages();
    for (std::size_t i = 0; i < loads.size(); i++)
        info.loads[i] = (std::uint64_t{loads[i]} << kLoadShift) / kLoadScale;
    info.total = memory.total_frames * kPageSize;
    info.free = memory.free_frames * kPageSize;
    info.unit = 1;
    {
        const SpinGuard guard(process_lock);
        for (Process& p : all_processes)
            info.processes = static_cast<std::uint16_t>(info.processes + p.thread_count);
    }
    SKEP_TRY(copy_out(a[0], info));
    return 0;
}

Returns getrandom(Arguments a) {
    constexpr std::uint64_t kFlags = 7, kMax = 0x1ff'ffff;
    if (a[2] & ~kFlags)
        return fail(Errno::Inval);
    const std::uint64_t size = std::min(a[1], kMax);
    std::byte buffer[256];
    for (std::uint64_t done = 0; done < size;) {
        const std::size_t part = std::min<std::uint64_t>(size - done, sizeof buffer);
        fill_random(buffer, part);
        SKEP_TRY(copy_out(a[0] + done, buffer, part));
        done += part;
    }
    return size;
}

Returns reboot_call(Arguments a) {
    // linux/reboot.h
    constexpr std::uint32_t kMagic1 = 0xfee1dead,
                            kMagic2[] = {0x28121969, 0x05121996, 0x16041998, 0x20112000};
    constexpr std::uint32_t kRestart = 0x01234567, kHalt = 0xcdef0123, kPowerOff = 0x4321fedc,
                            kCadOn = 0x89abcdef, kCadOff = 0;
    if (current_process().credentials.effective_user != 0)
        return fail(Errno::Perm);
    if (static_cast<std::uint32_t>(a[0]) != kMagic1 ||
        std::ranges::find(kMagic2, static_cast<std::uint32_t>(a[1])) == std::end(kMagic2))
        return fail(Errno::Inval);
    switch (static_cast<std::uint32_t>(a[2])) {
        case kRestart:
            reboot();
        case kPowerOff:
            power_off();
        case kHalt:
            halt_forever();
        case kCadOn:
        case kCadOff:
            return 0;
        default:
            return fail(Errno::Inval);
    }
}

Returns personality(Arguments) {
    return 0;  // PER_LINUX, whatever is asked
}

constexpr Syscall kCalls[] = {
    {63, "uname", 1, uname},
    {99, "sysinfo", 1, sysinfo},
    {135, "personality", 1, personality, SyscallStatus::Partial, "always PER_LINUX"},
    {169, "reboot", 4, reboot_call, SyscallStatus::Partial, "restart, halt and power off"},
    {170, "sethostname", 2, sethostname},
    {171, "setdomainname", 2, setdomainname},
    {318, "getrandom", 3, getrandom},
};

}  // namespace

const std::span<const Syscall> system_calls = kCalls;

}  // namespace skep::kernel::linux_abi
