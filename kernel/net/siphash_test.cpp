#include <kernel/net/siphash.hpp>

#include <gtest/gtest.h>

#include <vector>

namespace skep::kernel {
namespace {

// The test vectors of the SipHash paper's reference: key bytes 00..0f, message bytes 00, 01, 02,
// ...
TEST(SipHash, ReferenceVectors) {
    constexpr SipKey kKey{0x0706050403020100, 0x0f0e0d0c0b0a0908};
    std::vector<std::uint64_t> message;
    EXPECT_EQ(siphash(kKey, message), 0x726fdb47dd0e0e31u);
    message.push_back(0x0706050403020100);
    EXPECT_EQ(siphash(kKey, message), 0x93f5f5799a932462u);
    message.push_back(0x0f0e0d0c0b0a0908);
    EXPECT_EQ(siphash(kKey, message), 0x3f2acc7f57c29bdbu);
}

}  // namespace
}  // namespace skep::kernel
