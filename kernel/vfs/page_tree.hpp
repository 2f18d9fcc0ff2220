// A sparse array of 64-bit words by 64-bit index (0 = nothing there): the pages of a file. A radix
// tree that is as high as the largest index needs; a file of one page has no nodes at all. The
// owner locks.
#pragma once

#include <kernel/base/errno.hpp>

#include <cstddef>
#include <cstdint>
#include <new>

namespace skep::kernel {

class PageTree {
  public:
    PageTree() = default;
    PageTree(const PageTree&) = delete;
    PageTree& operator=(const PageTree&) = delete;
    ~PageTree() { free_node(root_, height_); }

    std::uint64_t get(std::uint64_t index) const {
        if (!fits(index))
            return 0;
        std::uint64_t word = root_;
        for (unsigned level = height_; level && word; level--)
            word = node(word)->words[index >> (level - 1) * kBits & kMask];
        return word;
    }
    // NoMem
    Result<> set(std::uint64_t index, std::uint64_t value) {
        while (!fits(index)) {
            if (root_) {
                Node* above = new (std::nothrow) Node;
                if (!above)
                    return fail(Errno::NoMem);
                above->words[0] = root_;
                root_ = reinterpret_cast<std::uint64_t>(above);
            }
            height_++;
        }
        std::uint64_t* word = &root_;
        for (unsigned level = height_; level; level--) {
            if (!*word) {
                if (!value)
                    return {};
                Node* fresh = new (std::nothrow) Node;
                if (!fresh)
                    return fail(Errno::NoMem);
                *word = reinterpret_cast<std::uint64_t>(fresh);
            }
            word = &node(*word)->words[index >> (level - 1) * kBits & kMask];
        }
        *word = value;
        return {};
    }
    // Calls f(index, word) for each word with first <= index < end; a word that f sets to 0 is
    // gone.
    template <typename F>
    void for_each(std::uint64_t first, std::uint64_t end, F f) {
        if (first < end && (height_ || first == 0))
            walk(root_, height_, 0, first, end - 1, f);
    }
    // The first index >= `first` that has a word, or ~0.
    std::uint64_t next(std::uint64_t first) const { return find(root_, height_, 0, first); }

  private:
    static constexpr unsigned kBits = 6;
    static constexpr std::uint64_t kMask = (1 << kBits) - 1;
    struct Node {
        std::uint64_t words[1 << kBits] = {};
    };
    static Node* node(std::uint64_t word) { return reinterpret_cast<Node*>(word); }
    bool fits(std::uint64_t index) const {
        return height_ * kBits >= 64 || index >> height_ * kBits == 0;
    }
    static void free_node(std::uint64_t word, unsigned level) {
        if (!level || !word)
            return;
        for (std::uint64_t child : node(word)->words)
            free_node(child, level - 1);
        delete node(word);
    }
    // The subtree `word` covers the indexes from `base` on.
    template <typename F>
    static void walk(std::uint64_t& word, unsigned level, std::uint64_t base, std::uint64_t first,
                     std::uint64_t last, F& f) {
        if (!word)
            return;
        if (level == 0) {
            f(base, word);
            return;
        }
        const unsigned shift = (level - 1) * kBits;
        for (std::uint64_t i = 0; i <= kMask; i++) {
            const std::uint64_t low = base + (i << shift);
            const std::uint64_t high = low + ((std::uint64_t{1} << shift) - 1);
            if (high >= first && low <= last)
                walk(node(word)->words[i], level - 1, low, first, last, f);
        }
    }
    static std::uint64_t find(std::uint64_t word, unsigned level, std::uint64_t base,
                              std::uint64_t first) {
        if (!word)
            return ~0ull;
        if (level == 0)
            return base >= first ? base : ~0ull;
        const unsigned shift = (level - 1) * kBits;
        for (std::uint64_t i = 0; i <= kMask; i++) {
            const std::uint64_t low = base + (i << shift);
            if (low + ((std::uint64_t{1} << shift) - 1) < first)
                continue;
            if (const std::uint64_t found = find(node(word)->words[i], level - 1, low, first);
                found != ~0ull)
                return found;
        }
        return ~0ull;
    }

    std::uint64_t root_ = 0;
    unsigned height_ = 0;
};

}  // namespace skep::kernel
