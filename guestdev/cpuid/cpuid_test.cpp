#include <guestdev/cpuid/cpuid_policy.hpp>
#include <guestdev/cpuid/features.hpp>
#include <guestdev/cpuid/host_cpuid_test.hpp>

#include <gtest/gtest.h>

#include <algorithm>

namespace skep::guestdev {
namespace {

const abi::CpuidEntry* find(const std::vector<abi::CpuidEntry>& table, std::uint32_t leaf,
                            std::uint32_t subleaf = 0) {
    auto found = std::ranges::find_if(
        table, [&](const auto& entry) { return entry.leaf == leaf && entry.subleaf == subleaf; });
    return found == table.end() ? nullptr : &*found;
}

TEST(CpuidPolicy, KeepsTheStableSetAndNoMore) {
    auto host = host_cpuid();
    auto table = make_cpuid({.supported = host, .xcr0_supported = 0xe7, .vcpus = 2});
    const auto* one = find(table, 1);
    ASSERT_TRUE(one);
    EXPECT_FALSE(one->ecx & 1 << 5) << "VMX";
    EXPECT_FALSE(one->ecx & 1 << 3) << "MONITOR";
    EXPECT_TRUE(one->ecx & 1u << 31) << "hypervisor";
    EXPECT_EQ(one->ebx >> 16 & 0xff, 2u);
    EXPECT_FALSE(find(table, 7)->ebx & 1 << 16) << "AVX-512";
    EXPECT_TRUE(find(table, 7)->ebx & 1 << 1) << "TSC_ADJUST";
    EXPECT_EQ(find(table, 0xd)->eax, 7u);
    EXPECT_EQ(find(table, 0xd)->ecx, 832u);
    EXPECT_FALSE(find(table, 0x8000'0001)->ecx & 1 << 2) << "SVM";
    EXPECT_EQ(find(table, 0x4000'0000)->ebx, 0x4b4d564bu);  // "KVMK"
    EXPECT_TRUE(std::ranges::is_sorted(table, {}, &abi::CpuidEntry::leaf));
    EXPECT_TRUE(check_cpuid(table, {.supported = host, .xcr0_supported = 7, .vcpus = 2}));
}

TEST(CpuidPolicy, PromisesOnlyWhatTheHostHas) {
    auto host = host_cpuid();
    for (auto& entry : host) {
        if (entry.leaf == 0x8000'0007)
            entry.edx = 0;
        if (entry.leaf == 1)
            entry.ecx &= ~(1u << 26);
    }
    auto table = make_cpuid({.supported = host, .xcr0_supported = 0, .vcpus = 1});
    EXPECT_EQ(find(table, 0x8000'0007)->edx, 0u);
    EXPECT_EQ(find(table, 0xd), nullptr);
}

TEST(CpuidPolicy, RefusesMissingFeaturesByName) {
    auto host = host_cpuid();
    auto table = make_cpuid({.supported = host, .xcr0_supported = 7, .vcpus = 1});
    auto lesser = host;
    for (auto& entry : lesser) {
        if (entry.leaf == 1)
            entry.ecx &= ~(1u << 28 | 1u << 25);
        if (entry.leaf == 7)
            entry.ebx &= ~(1u << 5);
    }
    auto status = check_cpuid(table, {.supported = lesser, .xcr0_supported = 7, .vcpus = 1});
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().message,
              "the guest uses CPU features that this host lacks: AES, AVX, AVX2");
    status = check_cpuid(table, {.supported = host, .xcr0_supported = 3, .vcpus = 1});
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().message, "the guest uses XSAVE components that this host lacks");
    lesser = host;
    lesser[0].ebx++;
    EXPECT_FALSE(check_cpuid(table, {.supported = lesser, .xcr0_supported = 7, .vcpus = 1}));
}

}  // namespace
}  // namespace skep::guestdev
