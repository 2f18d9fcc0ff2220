// On whose behalf a file is looked up, opened or changed.
#pragma once

#include <kernel/base/errno.hpp>
#include <kernel/vfs/stat.hpp>

#include <span>

namespace skep::kernel {

struct Caller {
    std::uint32_t user = 0, group = 0;  // effective
    std::span<const std::uint32_t> groups = {};
    bool superuser() const { return user == 0; }
    bool in_group(std::uint32_t wanted) const {
        if (wanted == group)
            return true;
        for (std::uint32_t candidate : groups)
            if (candidate == wanted)
                return true;
        return false;
    }
};

// Access wanted, as in access(2) and the permission bits.
inline constexpr std::uint32_t kAccessExecute = 1, kAccessWrite = 2, kAccessRead = 4;

// Acces unless the permission bits of `stat` allow all of `wanted`.
Result<> check_access(const FileStat& stat, const Caller& caller, std::uint32_t wanted);

}  // namespace skep::kernel
