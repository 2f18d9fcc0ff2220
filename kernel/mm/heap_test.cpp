#include <kernel/mm/heap.hpp>
#include <kernel/testing/host.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <thread>
#include <vector>

namespace skep::kernel {
namespace {

class HeapTest : public ::testing::Test {
  protected:
    // A slab of each cache may stay.
    static constexpr std::size_t kKept = 10 * 1 + 4 * 4;

    ~HeapTest() override { testing::frame_limit = testing::kHostFrames; }
    std::size_t taken() const { return testing::frames_in_use - before_; }

    const std::size_t before_ = testing::frames_in_use;
    Heap heap_;
};

bool is_filled(const void* memory, int byte, std::size_t size) {
    const auto* bytes = static_cast<const unsigned char*>(memory);
    return std::all_of(bytes, bytes + size, [&](unsigned char found) { return found == byte; });
}

TEST_F(HeapTest, EachObjectIsItsOwnAndAligned) {
    struct Object {
        std::size_t size;
        unsigned char* memory;
    };
    std::vector<Object> objects;
    for (std::size_t size = 1; size <= 3 * kPageSize; size += size < 2100 ? 1 : 97) {
        auto* memory = static_cast<unsigned char*>(heap_.allocate(size));
        ASSERT_NE(memory, nullptr) << size;
        const auto address = reinterpret_cast<std::uintptr_t>(memory);
        EXPECT_EQ(address % 16, 0u) << size;
        EXPECT_TRUE((size & (size - 1)) != 0 || address % size == 0) << size;
        std::memset(memory, static_cast<int>(objects.size() % 251), size);
        objects.push_back({size, memory});
    }
    for (std::size_t i = 0; i < objects.size(); i++)
        EXPECT_TRUE(is_filled(objects[i].memory, static_cast<int>(i % 251), objects[i].size)) << i;
    for (const Object& object : objects)
        heap_.free(object.memory);
    EXPECT_LE(taken(), kKept);
    heap_.free(nullptr);
}

TEST_F(HeapTest, WhatIsLargeIsWholeFrames) {
    void* frames = heap_.allocate(2 * kPageSize + 1);
    ASSERT_NE(frames, nullptr);
    EXPECT_EQ(taken(), 4u);
    heap_.free(frames);
    EXPECT_EQ(taken(), 0u);
    EXPECT_EQ(heap_.allocate(Heap::kLargest + 1), nullptr);
    EXPECT_EQ(heap_.allocate(~std::size_t{0}), nullptr);
}

TEST_F(HeapTest, OneEmptySlabIsKeptAndNoMore) {
    std::vector<void*> objects;
    for (int i = 0; i < 1000; i++)
        objects.push_back(heap_.allocate(512));
    EXPECT_EQ(taken(), 125u);
    for (void* object : objects)
        heap_.free(object);
    EXPECT_EQ(taken(), 1u);
    heap_.free(heap_.allocate(512));
    EXPECT_EQ(taken(), 1u);
}

TEST_F(HeapTest, MemoryThatRunsOutComesBack) {
    testing::frame_limit = testing::frames_in_use + 20;
    std::mt19937 random(4);
    std::vector<void*> objects;
    for (int misses = 0; misses < 50;) {
        if (void* object = heap_.allocate(1 + random() % 3000))
            objects.push_back(object);
        else
            misses++;
    }
    EXPECT_GT(objects.size(), 20u);
    EXPECT_LE(taken(), 20u);
    for (void* object : objects)
        heap_.free(object);
    EXPECT_NE(heap_.allocate(100), nullptr);
    EXPECT_LE(taken(), kKept);
}

TEST_F(HeapTest, ThreadsShareIt) {
    constexpr int kThreads = 4, kRounds = 20000, kHeld = 64;
    std::vector<std::thread> threads;
    std::atomic<int> wrong = 0;
    for (int number = 0; number < kThreads; number++)
        threads.emplace_back([&, number] {
            struct {
                void* memory = nullptr;
                std::size_t size = 0;
            } held[kHeld];
            std::mt19937 random(static_cast<unsigned>(number));
            for (int i = 0; i < kRounds; i++) {
                auto& slot = held[random() % kHeld];
                wrong += slot.memory && !is_filled(slot.memory, number + 1, slot.size);
                heap_.free(slot.memory);
                slot.size = 1 + random() % 700;
                slot.memory = heap_.allocate(slot.size);
                if (slot.memory)
                    std::memset(slot.memory, number + 1, slot.size);
            }
            for (auto& slot : held)
                heap_.free(slot.memory);
        });
    for (std::thread& thread : threads)
        thread.join();
    EXPECT_EQ(wrong, 0);
    EXPECT_LE(taken(), kKept);
}

}  // namespace
}  // namespace skep::kernel
