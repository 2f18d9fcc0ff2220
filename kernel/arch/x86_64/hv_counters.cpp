#include <kernel/arch/x86_64/hv_counters.hpp>

#include <kernel/mm/physical.hpp>

#include <cstring>

namespace skep::kernel {

Result<abi::HostStats> hv_counters() {
    if (!under_hv())
        return fail(Errno::NoEnt);
    const PhysAddr frame = SKEP_TRY(allocate_frames(0));
    abi::HostStats counters{};
    const std::int64_t result = hypercall(abi::Hypercall::Stats, frame.value);
    std::memcpy(&counters, direct_map(frame), sizeof counters);
    free_frames(frame, 0);
    if (result < 0)
        return fail(Errno::Io);
    return counters;
}

}  // namespace skep::kernel
