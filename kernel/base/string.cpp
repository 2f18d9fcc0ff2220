// The memory functions that the compiler calls. 64-bit string instructions: Bochs charges a tick
// per iteration, and real CPUs do as well with them as with bytes.
#include <cstddef>
#include <cstdint>

extern "C" {

void* memcpy(void* to, const void* from, std::size_t size) {
    void* result = to;
    std::size_t words = size / 8;
    asm volatile("rep movsq\n\tmovq %3, %2\n\trep movsb"
                 : "+D"(to), "+S"(from), "+c"(words)
                 : "r"(size % 8)
                 : "memory");
    return result;
}

void* memmove(void* to, const void* from, std::size_t size) {
    auto t = reinterpret_cast<std::uintptr_t>(to), f = reinterpret_cast<std::uintptr_t>(from);
    if (t - f >= size)
        return memcpy(to, from, size);
    auto* last_to = static_cast<char*>(to) + size - 1;
    const auto* last_from = static_cast<const char*>(from) + size - 1;
    std::size_t bytes = size % 8;
    asm volatile("std\n\trep movsb\n\tsubq $7, %0\n\tsubq $7, %1\n\tmovq %3, %2\n\trep movsq\n\tcld"
                 : "+D"(last_to), "+S"(last_from), "+c"(bytes)
                 : "r"(size / 8)
                 : "memory", "cc");
    return to;
}

void* memset(void* to, int value, std::size_t size) {
    void* result = to;
    std::size_t words = size / 8;
    asm volatile("rep stosq\n\tmovq %2, %1\n\trep stosb"
                 : "+D"(to), "+c"(words)
                 : "r"(size % 8), "a"(0x0101'0101'0101'0101u * static_cast<unsigned char>(value))
                 : "memory");
    return result;
}

int memcmp(const void* a, const void* b, std::size_t size) {
    const auto *x = static_cast<const unsigned char*>(a), *y = static_cast<const unsigned char*>(b);
    for (std::size_t i = 0; i < size; i++)
        if (x[i] != y[i])
            return x[i] - y[i];
    return 0;
}

std::size_t strlen(const char* s) {
    std::size_t n = 0;
    while (s[n])
        n++;
    return n;
}

std::size_t strnlen(const char* s, std::size_t limit) {
    std::size_t n = 0;
    while (n < limit && s[n])
        n++;
    return n;
}

const void* memchr(const void* memory, int value, std::size_t size) {
    const auto* p = static_cast<const unsigned char*>(memory);
    for (std::size_t i = 0; i < size; i++)
        if (p[i] == static_cast<unsigned char>(value))
            return p + i;
    return nullptr;
}

char* strcpy(char* to, const char* from) {
    memcpy(to, from, strlen(from) + 1);
    return to;
}

int strcmp(const char* a, const char* b) {
    while (*a && *a == *b)
        a++, b++;
    return static_cast<unsigned char>(*a) - static_cast<unsigned char>(*b);
}

int strncmp(const char* a, const char* b, std::size_t size) {
    for (; size && *a && *a == *b; size--)
        a++, b++;
    return size ? static_cast<unsigned char>(*a) - static_cast<unsigned char>(*b) : 0;
}

}  // extern "C"
