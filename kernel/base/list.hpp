// Intrusive doubly linked list: no allocation, O(1) removal by element. An element derives from
// ListNode<Tag> once per list that it can be on; it is on at most one list per Tag.
#pragma once

#include <cstddef>

namespace skep::kernel {

struct DefaultTag {};

template <typename Tag = DefaultTag>
class ListNode {
  public:
    ListNode() = default;
    ListNode(const ListNode&) = delete;
    ListNode& operator=(const ListNode&) = delete;
    bool linked() const { return next_ != nullptr; }

  private:
    template <typename, typename>
    friend class List;
    ListNode* next_ = nullptr;
    ListNode* previous_ = nullptr;
};

template <typename T, typename Tag = DefaultTag>
class List {
    using Node = ListNode<Tag>;

  public:
    List() { head_.next_ = head_.previous_ = &head_; }
    List(const List&) = delete;
    List& operator=(const List&) = delete;

    bool empty() const { return head_.next_ == &head_; }
    T* front() { return empty() ? nullptr : element(head_.next_); }
    T* back() { return empty() ? nullptr : element(head_.previous_); }
    void push_back(T& item) { insert(head_.previous_, &head_, node(item)); }
    void push_front(T& item) { insert(&head_, head_.next_, node(item)); }
    void insert_before(T& position, T& item) {
        insert(node(position)->previous_, node(position), node(item));
    }
    T* next(T& item) { return node(item)->next_ == &head_ ? nullptr : element(node(item)->next_); }
    T* pop_front() {
        T* item = front();
        if (item)
            remove(*item);
        return item;
    }
    static void remove(T& item) {
        Node* n = node(item);
        n->previous_->next_ = n->next_;
        n->next_->previous_ = n->previous_;
        n->next_ = n->previous_ = nullptr;
    }

    class Iterator {
      public:
        explicit Iterator(Node* node) : node_(node), next_(node->next_) {}
        T& operator*() const { return *element(node_); }
        Iterator& operator++() {  // the current element may have been removed
            node_ = next_;
            next_ = node_->next_;
            return *this;
        }
        bool operator!=(const Iterator& other) const { return node_ != other.node_; }

      private:
        Node *node_, *next_;
    };
    Iterator begin() { return Iterator(head_.next_); }
    Iterator end() { return Iterator(&head_); }

  private:
    static Node* node(T& item) { return static_cast<Node*>(&item); }
    static T* element(Node* n) { return static_cast<T*>(n); }
    static void insert(Node* before, Node* after, Node* n) {
        n->previous_ = before;
        n->next_ = after;
        before->next_ = after->previous_ = n;
    }
    Node head_;
};

}  // namespace skep::kernel
