#include <kernel/abi/personality.hpp>

#include <kernel/base/log.hpp>
#include <kernel/proc/process.hpp>

#include <array>

namespace skep::kernel {

namespace {

const Personality* const kPersonalities[] = {&freebsd_personality, &linux_personality};

}  // namespace

const Personality* find_personality(const ElfImage& image) {
    for (const Personality* p : kPersonalities)
        if (p->recognizes(image))
            return p;
    return nullptr;
}

Result<std::uint64_t> unknown_syscall(const Personality& personality, std::uint64_t number) {
    // Each number is named once; what is larger than all real ones, a few times.
    static std::array<std::atomic<std::uint64_t>, 10> named;
    static std::atomic<unsigned> odd_ones;
    const std::uint64_t bit = std::uint64_t{1} << number % 64;
    const bool fresh = number < 64 * named.size() ? !(named[number / 64].fetch_or(bit) & bit)
                                                  : odd_ones.fetch_add(1) < 10;
    if (fresh)
        log("{} (pid {}): no {} system call {}",
            static_cast<const char*>(current_process().command), current_process().id,
            personality.name, number);
    return fail(Errno::NoSys);
}

}  // namespace skep::kernel
