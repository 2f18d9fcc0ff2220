// What compiled C++ expects of its runtime.
#include <kernel/base/log.hpp>

#include <cstddef>
#include <new>

extern "C" {

[[noreturn]] void abort() {
    skep::kernel::panic("abort()");
}
[[noreturn]] void __cxa_pure_virtual() {
    skep::kernel::panic("pure virtual function called");
}
// Objects of static storage live as long as the kernel.
int atexit(void (*)()) {
    return 0;
}
int __cxa_atexit(void (*)(void*), void*, void*) {
    return 0;
}
void* __dso_handle = nullptr;

}  // extern "C"

// libstdc++'s headers call these where the hosted library would throw.
namespace std {
const nothrow_t nothrow{};

#define SKEP_THROWER(name)                    \
    [[noreturn]] void name(const char* what); \
    void name(const char* what) {             \
        skep::kernel::panic("{}", what);      \
    }
SKEP_THROWER(__throw_length_error)
SKEP_THROWER(__throw_logic_error)
SKEP_THROWER(__throw_out_of_range)
#undef SKEP_THROWER
[[noreturn]] void __throw_out_of_range_fmt(const char* what, ...);
void __throw_out_of_range_fmt(const char* what, ...) {
    skep::kernel::panic("{}", what);
}
[[noreturn]] void __throw_bad_array_new_length();
void __throw_bad_array_new_length() {
    skep::kernel::panic("bad array length");
}
}  // namespace std
