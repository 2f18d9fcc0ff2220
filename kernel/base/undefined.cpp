// What the compiler calls where it finds undefined behaviour (-fsanitize=undefined; the build
// option kernel_checks). Every record that it passes begins with the place in the source.
#include <kernel/base/log.hpp>

#include <cstdint>

namespace skep::kernel {

namespace {

struct Place {
    const char* file;
    std::uint32_t line, column;
};

[[noreturn]] void report(const char* what, const Place* place) {
    panic("undefined behaviour: {} at {}:{}:{}", what, place->file, place->line, place->column);
}

}  // namespace

extern "C" {

#define SKEP_UNDEFINED(name, what)                   \
    void __ubsan_handle_##name(const Place* place) { \
        report(what, place);                         \
    }

SKEP_UNDEFINED(add_overflow, "signed overflow in +")
SKEP_UNDEFINED(sub_overflow, "signed overflow in -")
SKEP_UNDEFINED(mul_overflow, "signed overflow in *")
SKEP_UNDEFINED(negate_overflow, "signed overflow in negation")
SKEP_UNDEFINED(divrem_overflow, "division")
SKEP_UNDEFINED(shift_out_of_bounds, "shift")
SKEP_UNDEFINED(out_of_bounds, "index out of bounds")
SKEP_UNDEFINED(type_mismatch_v1, "null, misaligned or too small an object")
SKEP_UNDEFINED(pointer_overflow, "pointer overflow")
SKEP_UNDEFINED(load_invalid_value, "no value of its type")
SKEP_UNDEFINED(nonnull_arg, "null argument")
SKEP_UNDEFINED(invalid_builtin, "argument of a builtin")
SKEP_UNDEFINED(vla_bound_not_positive, "array of no size")
SKEP_UNDEFINED(builtin_unreachable, "reached the unreachable")
SKEP_UNDEFINED(missing_return, "no return")

void __ubsan_handle_nonnull_return_v1(const void*, const Place* place) {
    report("null returned", place);
}
}

}  // namespace skep::kernel
