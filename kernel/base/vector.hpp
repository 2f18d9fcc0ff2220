// A growing array whose growth can fail. Elements are moved when it grows.
#pragma once

#include <kernel/base/errno.hpp>

#include <cstddef>
#include <cstring>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

namespace skep::kernel {

template <typename T>
class Vector {
  public:
    Vector() = default;
    Vector(const Vector&) = delete;
    Vector& operator=(const Vector&) = delete;
    Vector(Vector&& other) noexcept { swap(other); }
    Vector& operator=(Vector&& other) noexcept {
        swap(other);
        return *this;
    }
    ~Vector() {
        clear();
        release(data_);
    }

    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    T* data() { return data_; }
    const T* data() const { return data_; }
    T& operator[](std::size_t i) { return data_[i]; }
    const T& operator[](std::size_t i) const { return data_[i]; }
    T* begin() { return data_; }
    T* end() { return data_ + size_; }
    const T* begin() const { return data_; }
    const T* end() const { return data_ + size_; }
    T& back() { return data_[size_ - 1]; }
    std::span<T> span() { return {data_, size_}; }
    std::span<const T> span() const { return {data_, size_}; }

    [[nodiscard]] Result<> reserve(std::size_t capacity) {
        if (capacity <= capacity_)
            return {};
        T* fresh = static_cast<T*>(allocate(capacity));
        if (!fresh)
            return fail(Errno::NoMem);
        for (std::size_t i = 0; i < size_; i++) {
            new (fresh + i) T(std::move(data_[i]));
            data_[i].~T();
        }
        release(data_);
        data_ = fresh;
        capacity_ = capacity;
        return {};
    }
    [[nodiscard]] Result<> push_back(T value) {
        if (size_ == capacity_)
            SKEP_TRY(reserve(capacity_ ? capacity_ * 2 : 4));
        new (data_ + size_) T(std::move(value));
        size_++;
        return {};
    }
    // New elements are value-initialized.
    [[nodiscard]] Result<> resize(std::size_t size) {
        if (size > kMaxSize)
            return fail(Errno::NoMem);
        SKEP_TRY(reserve(size));
        std::size_t at = size_;
        if constexpr (std::is_trivially_default_constructible_v<T>) {
            if (at < size)
                std::memset(static_cast<void*>(data_ + at), 0, (size - at) * sizeof(T));
            size_ = size;
            return {};
        }
        for (; at < size && at < kMaxSize; at++)
            new (data_ + at) T();
        for (; at > size; at--)
            data_[at - 1].~T();
        size_ = size;
        return {};
    }
    T pop_back() {
        T value = std::move(data_[size_ - 1]);
        data_[--size_].~T();
        return value;
    }
    void erase(std::size_t index) {
        for (std::size_t i = index + 1; i < size_; i++)
            data_[i - 1] = std::move(data_[i]);
        data_[--size_].~T();
    }
    void clear() {
        while (size_)
            data_[--size_].~T();
    }
    void swap(Vector& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
    }

  private:
    static constexpr std::size_t kMaxSize = (std::size_t{1} << 40) / sizeof(T);
    static void* allocate(std::size_t count) {
        if (count > kMaxSize)
            return nullptr;
        return ::operator new(count * sizeof(T), std::nothrow);
    }
    static void release(void* memory) { ::operator delete(memory); }

    T* data_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

}  // namespace skep::kernel
