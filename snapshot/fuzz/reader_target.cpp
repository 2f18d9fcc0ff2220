// The reader against any bytes: it refuses them or restores them, and what it accepted it can load.
#include <snapshot/reader.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

std::uint64_t skep_fuzz_accepted = 0;  // inputs that were not refused

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace skep::snapshot;
    const MemoryFile file(std::as_bytes(std::span(data, size)));
    const auto snapshot = Snapshot::open(file);
    if (!snapshot)
        return 0;
    ++skep_fuzz_accepted;

    // A batch has at most 4 MiB of content, wherever it belongs.
    static std::vector<std::byte> memory(std::size_t{4} << 20);
    Status loaded = snapshot->load_ram(
        [](std::uint64_t, std::uint64_t) -> Result<std::span<std::byte>> { return memory; });
    for (int disk = 0; loaded && disk < snapshot->manifest().disks_size(); ++disk) {
        const std::uint64_t disk_size = snapshot->manifest().disks(disk).size_bytes();
        loaded = snapshot->load_disk(
            static_cast<std::uint32_t>(disk),
            [&](std::uint64_t offset, std::span<const std::byte> run) -> Status {
                if (offset > disk_size || run.size() > disk_size - offset)
                    return fail(ErrorCode::Misuse, "content beyond the disk");
                return {};
            });
    }
    if (!loaded) {
        std::fprintf(stderr, "accepted but not loaded: %s\n", loaded.error().describe().c_str());
        std::abort();
    }
    return 0;
}
