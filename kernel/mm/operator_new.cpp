#include <kernel/mm/heap.hpp>

#include <algorithm>
#include <bit>
#include <new>

namespace skep::kernel {

namespace {

Heap heap;

}  // namespace

void* kernel_allocate(std::size_t size) {
    return heap.allocate(size);
}

void kernel_free(void* memory) {
    heap.free(memory);
}

}  // namespace skep::kernel

using skep::kernel::kernel_allocate;
using skep::kernel::kernel_free;

void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    return kernel_allocate(size);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
    return kernel_allocate(size);
}
void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    return kernel_allocate(std::max(std::bit_ceil(size), static_cast<std::size_t>(alignment)));
}
void* operator new[](std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    return kernel_allocate(std::max(std::bit_ceil(size), static_cast<std::size_t>(alignment)));
}
void operator delete(void* memory) noexcept {
    kernel_free(memory);
}
void operator delete[](void* memory) noexcept {
    kernel_free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    kernel_free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
    kernel_free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
    kernel_free(memory);
}
void operator delete[](void* memory, std::align_val_t) noexcept {
    kernel_free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
    kernel_free(memory);
}
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept {
    kernel_free(memory);
}
