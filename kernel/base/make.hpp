// Allocation that can fail: NoMem instead of an exception.
#pragma once

#include <kernel/base/errno.hpp>
#include <kernel/base/ref.hpp>

#include <new>
#include <utility>

namespace skep::kernel {

template <typename T, typename... A>
[[nodiscard]] Result<Ref<T>> make_ref(A&&... a) {
    T* object = new (std::nothrow) T(std::forward<A>(a)...);
    if (!object)
        return fail(Errno::NoMem);
    return Ref<T>::adopt(object);
}

// Sole ownership.
template <typename T>
class Owned {
  public:
    Owned() = default;
    explicit Owned(T* object) : object_(object) {}
    Owned(const Owned&) = delete;
    Owned& operator=(const Owned&) = delete;
    Owned(Owned&& other) noexcept : object_(other.leak()) {}
    Owned& operator=(Owned&& other) noexcept {
        reset(other.leak());
        return *this;
    }
    ~Owned() { delete object_; }
    void reset(T* object = nullptr) {
        if (object_ != object)
            delete std::exchange(object_, object);
    }
    T* leak() { return std::exchange(object_, nullptr); }
    T* get() const { return object_; }
    T* operator->() const { return object_; }
    T& operator*() const { return *object_; }
    explicit operator bool() const { return object_ != nullptr; }

  private:
    T* object_ = nullptr;
};

template <typename T, typename... A>
[[nodiscard]] Result<Owned<T>> make_owned(A&&... a) {
    T* object = new (std::nothrow) T(std::forward<A>(a)...);
    if (!object)
        return fail(Errno::NoMem);
    return Owned<T>(object);
}

}  // namespace skep::kernel
