#include <kernel/mm/user.hpp>

#include <kernel/base/checks.hpp>
#include <kernel/mm/layout.hpp>
#include <kernel/mm/physical.hpp>
#include <kernel/sync/spinlock.hpp>

#include <algorithm>
#include <cstring>

namespace skep::kernel {

extern "C" std::size_t user_copy(void* to, const void* from, std::size_t size);
extern "C" std::size_t user_clear(void* to, std::size_t size);
extern "C" bool user_load32(std::uint32_t* value, const std::uint32_t* from);
extern "C" bool user_exchange_if32(std::uint32_t* at, std::uint32_t* expected,
                                   std::uint32_t desired);

namespace {

// Every access comes by here.
bool in_user_space(UserAddr address, std::size_t size) {
    if constexpr (kKernelChecks)
        check_no_spin_lock_held(
            "a program's memory is touched");  // its page may have to be waited for
    return address <= kUserEnd && size <= kUserEnd - address;
}

}  // namespace

Result<> copy_in(void* to, UserAddr from, std::size_t size) {
    if (!in_user_space(from, size) || user_copy(to, reinterpret_cast<const void*>(from), size) != 0)
        return fail(Errno::Fault);
    return {};
}

Result<> copy_out(UserAddr to, const void* from, std::size_t size) {
    if (!in_user_space(to, size) || user_copy(reinterpret_cast<void*>(to), from, size) != 0)
        return fail(Errno::Fault);
    return {};
}

Result<> clear_user(UserAddr to, std::size_t size) {
    if (!in_user_space(to, size) || user_clear(reinterpret_cast<void*>(to), size) != 0)
        return fail(Errno::Fault);
    return {};
}

Result<std::size_t> copy_in_string(char* to, UserAddr from, std::size_t capacity) {
    std::size_t length = 0;
    while (length < capacity) {
        // Up to the page's end: the string may end there, with nothing mapped behind it.
        const std::size_t part =
            std::min(capacity - length, kPageSize - (from + length) % kPageSize);
        SKEP_TRY(copy_in(to + length, from + length, part));
        if (const void* end = std::memchr(to + length, 0, part))
            return static_cast<std::size_t>(static_cast<const char*>(end) - to);
        length += part;
    }
    return fail(Errno::NameTooLong);
}

Result<std::uint32_t> load_user32(UserAddr from) {
    std::uint32_t value;
    if (from % 4 != 0)
        return fail(Errno::Inval);
    if (!in_user_space(from, 4) ||
        !user_load32(&value, reinterpret_cast<const std::uint32_t*>(from)))
        return fail(Errno::Fault);
    return value;
}

Result<bool> exchange_user32(UserAddr at, std::uint32_t& expected, std::uint32_t desired) {
    const std::uint32_t wanted = expected;
    if (at % 4 != 0)
        return fail(Errno::Inval);
    if (!in_user_space(at, 4) ||
        !user_exchange_if32(reinterpret_cast<std::uint32_t*>(at), &expected, desired))
        return fail(Errno::Fault);
    return expected == wanted;
}

}  // namespace skep::kernel
