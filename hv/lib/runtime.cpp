// What the compiler and the freestanding library headers call by themselves.
#include "hv/lib/panic.hpp"

#include <bits/functexcept.h>

extern "C" {

void* memcpy(void* to, const void* from, std::size_t count) {
    void* start = to;
    std::size_t words = count / 8, rest = count % 8;
    asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(rest) : : "memory");
    return start;
}

void* memset(void* to, int value, std::size_t count) {
    void* start = to;
    std::size_t words = count / 8, rest = count % 8;
    const std::uint64_t pattern = 0x0101'0101'0101'0101u * static_cast<unsigned char>(value);
    asm volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(pattern) : "memory");
    asm volatile("rep stosb" : "+D"(to), "+c"(rest) : "a"(pattern) : "memory");
    return start;
}

void* memmove(void* to, const void* from, std::size_t count) {
    auto* target = static_cast<unsigned char*>(to);
    const auto* source = static_cast<const unsigned char*>(from);
    if (target <= source || target >= source + count)
        return memcpy(to, from, count);
    for (std::size_t i = count; i != 0; --i)
        target[i - 1] = source[i - 1];
    return to;
}

int memcmp(const void* a, const void* b, std::size_t count) {
    const auto* left = static_cast<const unsigned char*>(a);
    const auto* right = static_cast<const unsigned char*>(b);
    for (std::size_t i = 0; i < count; ++i) {
        if (left[i] != right[i])
            return left[i] < right[i] ? -1 : 1;
    }
    return 0;
}

void* memchr(const void* memory, int value, std::size_t count) {
    const auto* bytes = static_cast<const unsigned char*>(memory);
    for (std::size_t i = 0; i < count; ++i) {
        if (bytes[i] == static_cast<unsigned char>(value))
            return const_cast<unsigned char*>(bytes + i);
    }
    return nullptr;
}

std::size_t strlen(const char* text) {
    std::size_t length = 0;
    while (text[length] != 0)
        ++length;
    return length;
}

}  // extern "C"

// string_view::substr beyond the end.
void std::__throw_out_of_range_fmt(const char* message, ...) {
    skep::hv::panic("{}", message);
}
