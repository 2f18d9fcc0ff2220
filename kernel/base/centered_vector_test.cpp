#include <kernel/base/centered_vector.hpp>
#include <kernel/base/ref.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <vector>

namespace skep::kernel {
namespace {

TEST(CenteredVector, IsAVector) {
    std::mt19937 random(3);
    CenteredVector<std::unique_ptr<int>> ours;
    std::vector<int> model;
    for (int i = 0; i < 20000; i++) {
        const std::size_t at = model.empty() ? 0 : random() % (model.size() + 1);
        if (random() % 5 < 3 || model.empty()) {
            ASSERT_TRUE(ours.insert(at, std::make_unique<int>(i)));
            model.insert(model.begin() + static_cast<std::ptrdiff_t>(at), i);
        } else if (at < model.size()) {
            const std::size_t count = std::min<std::size_t>(1 + random() % 3, model.size() - at);
            ours.erase(at, count);
            model.erase(model.begin() + static_cast<std::ptrdiff_t>(at),
                        model.begin() + static_cast<std::ptrdiff_t>(at + count));
        }
        if (random() % 5000 == 0) {
            ours.clear();
            model.clear();
        }
        ASSERT_EQ(ours.size(), model.size());
    }
    for (std::size_t i = 0; i < model.size(); i++)
        EXPECT_EQ(*ours[i], model[i]);
}

TEST(CenteredVector, GrowsAtOneEnd) {
    for (const bool front : {false, true}) {
        CenteredVector<int> all;
        for (int i = 0; i < 1000; i++)
            ASSERT_TRUE(all.insert(front ? 0 : all.size(), i));
        EXPECT_EQ(all[0], front ? 999 : 0);
        EXPECT_EQ(all[999], front ? 0 : 999);
    }
}

}  // namespace
}  // namespace skep::kernel
