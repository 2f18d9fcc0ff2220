#include <kernel/sched/load.hpp>

namespace skep::kernel {

LoadAverages aged(const LoadAverages& before, std::uint32_t runnable) {
    // e^(-5 s / 1, 5, 15 minutes), in 1/kLoadScale
    constexpr std::array<std::uint32_t, 3> kKept = {1884, 2014, 2037};
    LoadAverages after;
    for (std::size_t i = 0; i < after.size(); i++) {
        const std::uint64_t now = std::uint64_t{runnable} * kLoadScale;
        std::uint64_t sum = std::uint64_t{before[i]} * kKept[i] + now * (kLoadScale - kKept[i]);
        if (now >= before[i])
            sum += kLoadScale - 1;  // else the last digits would never be reached
        after[i] = static_cast<std::uint32_t>(sum / kLoadScale);
    }
    return after;
}

}  // namespace skep::kernel
