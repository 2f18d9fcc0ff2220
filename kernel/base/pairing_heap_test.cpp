#include <kernel/base/pairing_heap.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

namespace skep::kernel {
namespace {

struct Item : PairingNode<Item> {
    int key = 0;
};
struct ByKey {
    bool operator()(const Item& a, const Item& b) const { return a.key < b.key; }
};

TEST(PairingHeap, AgreesWithASortedListUnderRandomInsertionAndRemoval) {
    std::mt19937 random(3);
    std::vector<std::unique_ptr<Item>> in;
    PairingHeap<Item, ByKey> heap;
    for (int step = 0; step < 20000; step++) {
        if (in.empty() || random() % 5 < 3) {
            in.push_back(std::make_unique<Item>());
            in.back()->key = static_cast<int>(random() % 1000);
            heap.push(*in.back());
        } else {
            std::size_t victim = random() % in.size();
            if (random() % 2)
                victim = static_cast<std::size_t>(
                    std::ranges::find_if(in, [&](auto& i) { return i.get() == heap.top(); }) -
                    in.begin());
            heap.remove(*in[victim]);
            in.erase(in.begin() + static_cast<std::ptrdiff_t>(victim));
        }
        if (in.empty()) {
            ASSERT_TRUE(heap.empty());
            continue;
        }
        const auto least = std::ranges::min_element(in, {}, [](auto& i) { return i->key; });
        ASSERT_EQ(heap.top()->key, (*least)->key);
    }
}

}  // namespace
}  // namespace skep::kernel
