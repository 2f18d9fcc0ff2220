// Shared ownership by an intrusive count. An object is born with one reference, which `adopt`
// takes.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace skep::kernel {

template <typename T>
class Ref;

class RefCounted {
  public:
    RefCounted() = default;
    RefCounted(const RefCounted&) = delete;
    RefCounted& operator=(const RefCounted&) = delete;
    // As it was just now: others may come and go.
    std::uint32_t references() const { return references_.load(std::memory_order_relaxed); }

  protected:
    virtual ~RefCounted() = default;

  private:
    template <typename T>
    friend class Ref;
    void retain() { references_.fetch_add(1, std::memory_order_relaxed); }
    void release() {
        if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1)
            delete this;
    }
    std::atomic<std::uint32_t> references_{1};
};

template <typename T>
class Ref {
  public:
    Ref() = default;
    Ref(std::nullptr_t) {}
    explicit Ref(T* object) : object_(object) {  // takes one more reference
        if (object_)
            counted()->retain();
    }
    static Ref adopt(T* object) {  // takes over the reference of a new object; null stays null
        Ref ref;
        ref.object_ = object;
        return ref;
    }
    Ref(const Ref& other) : Ref(other.object_) {}
    template <typename U>
    Ref(const Ref<U>& other) : Ref(other.get()) {}
    Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
    template <typename U>
    Ref(Ref<U>&& other) noexcept : object_(other.leak()) {}
    ~Ref() { reset(); }
    Ref& operator=(Ref other) noexcept {
        std::swap(object_, other.object_);
        return *this;
    }

    void reset() {
        if (T* object = std::exchange(object_, nullptr))
            static_cast<RefCounted*>(object)->release();
    }
    T* leak() { return std::exchange(object_, nullptr); }
    T* get() const { return object_; }
    T* operator->() const { return object_; }
    T& operator*() const { return *object_; }
    explicit operator bool() const { return object_ != nullptr; }
    bool operator==(const Ref& other) const { return object_ == other.object_; }

  private:
    RefCounted* counted() const { return object_; }
    T* object_ = nullptr;
};

}  // namespace skep::kernel
