// The one result type of hv. Errors are those of the hypercall interface, so that a failure deep
// inside reaches the root domain unchanged.
#pragma once

#include "hv/abi/hypercall.hpp"

#include <cstdint>
#include <expected>

namespace skep::hv {

template <class T>
using Result = std::expected<T, abi::Error>;

using Status = Result<void>;

constexpr std::unexpected<abi::Error> fail(abi::Error error) {
    return std::unexpected(error);
}

// Of a call without a value.
constexpr Result<std::uint64_t> zero_if(const Status& status) {
    if (!status)
        return fail(status.error());
    return 0;
}

}  // namespace skep::hv

// Evaluates an expression of type Status or Result; returns its error from the enclosing function.
#define HV_TRY(expression)                               \
    do {                                                 \
        if (auto try_result = (expression); !try_result) \
            return ::skep::hv::fail(try_result.error()); \
    } while (false)
