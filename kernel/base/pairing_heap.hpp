// Intrusive pairing heap: smallest first, O(1) insertion, O(log n) amortized removal of any
// element, no allocation. An element derives from PairingNode<T>; `Less` compares two elements.
#pragma once

#include <cstddef>

namespace skep::kernel {

template <typename T>
class PairingNode {
  public:
    PairingNode() = default;
    PairingNode(const PairingNode&) = delete;
    PairingNode& operator=(const PairingNode&) = delete;

  private:
    template <typename, typename>
    friend class PairingHeap;
    T* child_ = nullptr;
    T* sibling_ = nullptr;
    T* previous_ = nullptr;  // the left sibling, or for a first child its parent
};

template <typename T, typename Less>
class PairingHeap {
    using Node = PairingNode<T>;

  public:
    T* top() const { return root_; }
    bool empty() const { return !root_; }
    void push(T& item) {
        node(item).child_ = node(item).sibling_ = node(item).previous_ = nullptr;
        root_ = root_ ? merge(root_, &item) : &item;
    }
    void remove(T& item) {
        T* rest = merge_children(node(item).child_);
        if (&item == root_) {
            root_ = rest;
            return;
        }
        T* previous = node(item).previous_;
        T* next = node(item).sibling_;
        if (node(*previous).child_ == &item)
            node(*previous).child_ = next;
        else
            node(*previous).sibling_ = next;
        if (next)
            node(*next).previous_ = previous;
        if (rest)
            root_ = merge(root_, rest);
    }

  private:
    static Node& node(T& item) { return item; }
    // Both are roots without siblings.
    static T* merge(T* a, T* b) {
        if (Less{}(*b, *a)) {
            T* swap = a;
            a = b;
            b = swap;
        }
        Node &parent = node(*a), &child = node(*b);
        child.sibling_ = parent.child_;
        if (parent.child_)
            node(*parent.child_).previous_ = b;
        child.previous_ = a;
        parent.child_ = b;
        parent.sibling_ = parent.previous_ = nullptr;
        return a;
    }
    // Pairs from left to right, then merges the pairs from right to left.
    static T* merge_children(T* first) {
        T* pairs = nullptr;  // chained by sibling_, last pair first
        while (first) {
            T* a = first;
            T* b = node(*a).sibling_;
            first = b ? node(*b).sibling_ : nullptr;
            T* merged = b ? merge(a, b) : a;
            node(*merged).sibling_ = pairs;
            pairs = merged;
        }
        T* result = nullptr;
        while (pairs) {
            T* next = node(*pairs).sibling_;
            node(*pairs).sibling_ = nullptr;
            result = result ? merge(result, pairs) : pairs;
            pairs = next;
        }
        if (result)
            node(*result).previous_ = nullptr;
        return result;
    }

    T* root_ = nullptr;
};

}  // namespace skep::kernel
