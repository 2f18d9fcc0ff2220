// The machine as a whole: sysctl, randomness, power, the boot environment, kernel modules.
#include <kernel/abi/arguments.hpp>
#include <kernel/abi/freebsd/tables.hpp>
#include <kernel/dev/acpi/power.hpp>
#include <kernel/dev/random.hpp>
#include <kernel/proc/process.hpp>
#include <kernel/sysctl/node.hpp>

#include <algorithm>

namespace skep::kernel::freebsd_abi {

namespace {

// --- sysctl ---

constexpr std::size_t kMaxWrite = 64 * 1024;

// As much of the value as fits; its size goes to `old_size`. NoMem: it did not fit.
Result<> put_old(UserAddr old, UserAddr old_size, const sysctl::Value& value) {
    if (!old_size)
        return old ? Result<>(fail(Errno::Fault)) : Result<>();
    const std::span<const std::byte> bytes = value.bytes();
    if (!old)
        return copy_out(old_size, std::uint64_t{bytes.size() + value.slack});
    const std::size_t size = std::min(value.room.value_or(0), bytes.size());
    SKEP_TRY(copy_out(old, bytes.data(), size));
    SKEP_TRY(copy_out(old_size, std::uint64_t{size}));
    if (size < bytes.size())
        return fail(Errno::NoMem);
    return {};
}

Returns do_sysctl(sysctl::Numbers numbers, UserAddr old, UserAddr old_size, UserAddr fresh,
                  std::uint64_t fresh_size) {
    if (fresh && fresh_size > kMaxWrite)
        return fail(Errno::Inval);
    Vector<std::byte> written;
    if (fresh) {
        SKEP_TRY(written.resize(fresh_size));
        SKEP_TRY(copy_in(written.data(), fresh, fresh_size));
    }
    sysctl::Value value;
    if (old && old_size)
        value.room = SKEP_TRY(copy_in<std::uint64_t>(old_size));
    SKEP_TRY(sysctl::read_or_write(numbers, value, fresh != 0, written.span()));
    SKEP_TRY(put_old(old, old_size, value));
    return 0;
}

Returns sysctl_call(Arguments a) {
    std::int32_t numbers[sysctl::kMaxDepth];
    const auto count = static_cast<std::uint32_t>(a[1]);
    if (count < 2 || count > sysctl::kMaxDepth)
        return fail(Errno::Inval);
    SKEP_TRY(copy_in(numbers, a[0], count * sizeof numbers[0]));
    return do_sysctl({numbers, count}, a[2], a[3], a[4], a[5]);
}

Returns sysctlbyname(Arguments a) {
    constexpr std::size_t kNameMax = 256;
    char name[kNameMax];
    if (a[1] >= sizeof name)
        return fail(Errno::NameTooLong);
    SKEP_TRY(copy_in(name, a[0], a[1]));
    const std::string_view text(name, a[1]);
    const sysctl::Path path =
        SKEP_TRY(sysctl::find_name(sysctl::root, text.substr(0, text.find('\0'))));
    return do_sysctl(path.span(), a[2], a[3], a[4], a[5]);
}

Returns getrandom(Arguments a) {
    constexpr std::uint64_t kFlags = 7;  // GRND_NONBLOCK, GRND_RANDOM, GRND_INSECURE
    if (a[2] & ~kFlags || a[1] > abi::kIoMax)
        return fail(Errno::Inval);
    std::byte buffer[256];
    for (std::uint64_t done = 0; done < a[1];) {
        const std::size_t part = std::min<std::uint64_t>(a[1] - done, sizeof buffer);
        fill_random(buffer, part);
        SKEP_TRY(copy_out(a[0] + done, buffer, part));
        done += part;
    }
    return a[1];
}

Returns reboot_call(Arguments a) {
    constexpr std::uint64_t kHalt = 8, kPowerOff = 0x4000;  // sys/reboot.h
    if (current_process().credentials.effective_user != 0)
        return fail(Errno::Perm);
    if (a[0] & kPowerOff)
        power_off();
    if (a[0] & kHalt)
        halt_forever();
    reboot();
}

// RFC 4122, version 4.
Returns uuidgen(Arguments a) {
    constexpr std::int32_t kMost = 2048;
    const auto count = static_cast<std::int32_t>(a[1]);
    if (count < 1 || count > kMost)
        return fail(Errno::Inval);
    for (std::int32_t i = 0; i < count; i++) {
        std::uint8_t uuid[16];
        fill_random(uuid, sizeof uuid);
        uuid[7] = static_cast<std::uint8_t>((uuid[7] & 0x0f) |
                                            0x40);  // time_hi_and_version is little-endian
        uuid[8] = static_cast<std::uint8_t>((uuid[8] & 0x3f) | 0x80);
        SKEP_TRY(copy_out(a[0] + static_cast<std::uint64_t>(i) * sizeof uuid, uuid));
    }
    return 0;
}

// There is no loader's environment. KENV_DUMP and the like: it has no bytes.
Returns kenv(Arguments a) {
    enum : std::int32_t {
        Get = 0,
        Set = 1,
        Unset = 2,
        Dump = 3,
        DumpLoader = 4,
        DumpStatic = 5
    };
    switch (static_cast<std::int32_t>(a[0])) {
        case Dump:
        case DumpLoader:
        case DumpStatic:
            return 0;
        case Get:
        case Unset:
            return fail(Errno::NoEnt);
        case Set:
            return fail(Errno::Perm);
        default:
            return fail(Errno::Inval);
    }
}

// There are no modules to find.
Returns no_entry(Arguments) {
    return fail(Errno::NoEnt);
}
Returns no_more(Arguments) {
    return 0;
}

constexpr Syscall kCalls[] = {
    {55, "reboot", 1, reboot_call, SyscallStatus::Partial,
     "restart, RB_HALT, RB_POWEROFF; does not sync"},
    {202, "__sysctl", 6, sysctl_call, SyscallStatus::Partial, "the names in kernel/sysctl"},
    {300, "modnext", 1, no_more, SyscallStatus::Partial, "there are no modules"},
    {301, "modstat", 2, no_entry, SyscallStatus::Partial, "there are no modules"},
    {303, "modfind", 1, no_entry, SyscallStatus::Partial, "there are no modules"},
    {306, "kldfind", 1, no_entry, SyscallStatus::Partial, "there are no modules"},
    {307, "kldnext", 1, no_more, SyscallStatus::Partial, "there are no modules"},
    {308, "kldstat", 2, no_entry, SyscallStatus::Partial, "there are no modules"},
    {309, "kldfirstmod", 1, no_more, SyscallStatus::Partial, "there are no modules"},
    {335, "utrace", 2, no_more, SyscallStatus::Ignored, "nobody traces"},
    {390, "kenv", 4, kenv, SyscallStatus::Partial, "the environment is empty"},
    {392, "uuidgen", 2, uuidgen, SyscallStatus::Partial, "random UUIDs (version 4)"},
    {563, "getrandom", 3, getrandom},
    {570, "__sysctlbyname", 6, sysctlbyname, SyscallStatus::Partial, "the names in kernel/sysctl"},
};

}  // namespace

const std::span<const Syscall> system_calls = kCalls;

}  // namespace skep::kernel::freebsd_abi
