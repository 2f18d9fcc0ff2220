// A sorted array that grows at both ends: insert and erase move the shorter side. Elements are
// moved as bytes, so no T may refer to its own place. Growing fails instead of throwing.
#pragma once

#include <kernel/base/errno.hpp>

#include <cstddef>
#include <cstring>
#include <new>
#include <utility>

namespace skep::kernel {

template <typename T>
class CenteredVector {
  public:
    CenteredVector() = default;
    CenteredVector(const CenteredVector&) = delete;
    CenteredVector& operator=(const CenteredVector&) = delete;
    ~CenteredVector() { clear(); }

    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    T& operator[](std::size_t i) { return begin()[i]; }
    const T& operator[](std::size_t i) const { return begin()[i]; }
    T* begin() { return memory_ + first_; }
    T* end() { return begin() + size_; }
    const T* begin() const { return memory_ + first_; }
    const T* end() const { return begin() + size_; }

    // NoMem: nothing has changed.
    [[nodiscard]] Result<> insert(std::size_t index, T value) {
        const bool front = index < size_ / 2;
        if (front ? first_ == 0 : first_ + size_ == capacity_)
            SKEP_TRY(grow());
        if (front) {
            move(first_ - 1, first_, index);
            first_--;
        } else {
            move(first_ + index + 1, first_ + index, size_ - index);
        }
        size_++;
        new (begin() + index) T(std::move(value));
        return {};
    }
    void erase(std::size_t index, std::size_t count = 1) {
        for (std::size_t i = index; i < index + count; i++)
            begin()[i].~T();
        const std::size_t behind = size_ - index - count;
        if (index < behind) {
            move(first_ + count, first_, index);
            first_ += count;
        } else {
            move(first_ + index, first_ + index + count, behind);
        }
        size_ -= count;
    }
    // Gives its memory back too.
    void clear() {
        for (T& one : *this)
            one.~T();
        ::operator delete(memory_);
        memory_ = nullptr;
        capacity_ = first_ = size_ = 0;
    }

  private:
    void move(std::size_t to, std::size_t from, std::size_t count) {
        if (count)
            std::memmove(static_cast<void*>(memory_ + to), static_cast<void*>(memory_ + from),
                         count * sizeof(T));
    }
    // Room at both ends.
    Result<> grow() {
        const std::size_t capacity = size_ < 4 ? 8 : size_ * 2, first = (capacity - size_) / 2;
        auto* fresh = static_cast<T*>(::operator new(capacity * sizeof(T), std::nothrow));
        if (!fresh)
            return fail(Errno::NoMem);
        if (size_)
            std::memcpy(static_cast<void*>(fresh + first), static_cast<void*>(begin()),
                        size_ * sizeof(T));
        ::operator delete(memory_);
        memory_ = fresh;
        capacity_ = capacity;
        first_ = first;
        return {};
    }

    T* memory_ = nullptr;
    std::size_t capacity_ = 0, first_ = 0, size_ = 0;
};

}  // namespace skep::kernel
