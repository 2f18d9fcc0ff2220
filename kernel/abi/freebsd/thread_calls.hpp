// Between the files of the thread calls.
#pragma once

#include <kernel/base/errno.hpp>

#include <cstdint>

namespace skep::kernel::freebsd_abi {

Result<std::uint64_t> umtx_op(const std::uint64_t* arguments);

}  // namespace skep::kernel::freebsd_abi
