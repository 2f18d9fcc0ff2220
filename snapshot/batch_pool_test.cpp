#include <snapshot/batch_pool.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace skep::snapshot {
namespace {

constexpr std::size_t kBatch = 4 * kPageSize;

// Every third batch is zero, the last one is short; the others differ.
std::vector<std::byte> sample_pages(std::size_t batches) {
    std::vector<std::byte> pages(batches * kBatch - kPageSize);
    for (std::size_t i = 0; i < pages.size(); ++i)
        if (i / kBatch % 3 != 0)
            pages[i] = static_cast<std::byte>(i / kBatch + i % 7);
    return pages;
}

struct Seen {
    std::uint64_t start;
    std::size_t size;
    std::string head, data;  // empty: zero
    bool operator==(const Seen&) const = default;
};

std::vector<Seen> encode(unsigned threads, std::span<const std::byte> pages, int times = 1) {
    std::vector<Seen> seen;
    BatchPool pool(1, threads);
    for (int i = 0; i < times; ++i) {
        auto status = pool.encode(
            0x10000, 0, pages, kBatch,
            [&](std::uint64_t start, std::span<const std::byte> part, const EncodedBatch* encoded) {
                Seen one{start, part.size(), "", ""};
                if (encoded) {
                    one.head = encoded->head;
                    one.data.assign(reinterpret_cast<const char*>(encoded->data.data()),
                                    encoded->data.size());
                }
                seen.push_back(one);
                return Status{};
            });
        EXPECT_TRUE(status);
    }
    return seen;
}

TEST(BatchPool, ManyThreadsGiveTheSameInTheSameOrder) {
    auto pages = sample_pages(50);
    auto alone = encode(1, pages);
    ASSERT_EQ(alone.size(), 50u);
    EXPECT_TRUE(alone[0].head.empty());
    EXPECT_FALSE(alone[1].head.empty());
    EXPECT_EQ(alone.back().size, 3 * kPageSize);
    for (unsigned threads : {2u, 3u, 8u})
        EXPECT_EQ(encode(threads, pages), alone) << threads;
    EXPECT_EQ(encode(2, std::span(pages).first(kPageSize)).size(), 1u);
    EXPECT_EQ(encode(2, {}).size(), 0u);
    EXPECT_EQ(encode(3, pages, 20).size(), 1000u);
}

TEST(BatchPool, AnErrorEndsItAndItCanBeUsedAgain) {
    auto pages = sample_pages(50);
    for (unsigned threads : {1u, 3u}) {
        BatchPool pool(1, threads);
        int calls = 0;
        auto until = [&](int last) {
            return [&calls, last](auto, auto, auto) -> Status {
                if (++calls == last)
                    return fail(ErrorCode::Cancelled, "enough");
                return {};
            };
        };
        auto status = pool.encode(0, 0, pages, kBatch, until(7));
        ASSERT_FALSE(status);
        EXPECT_EQ(status.error().code, ErrorCode::Cancelled);
        EXPECT_EQ(calls, 7);
        EXPECT_TRUE(pool.encode(0, 0, pages, kBatch, until(-1)));
        EXPECT_EQ(calls, 57);
    }
}

}  // namespace
}  // namespace skep::snapshot
