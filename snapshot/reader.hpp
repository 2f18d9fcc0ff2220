// Reads a saved guest. A file is judged as a whole before anything in it can be used.
//
//     judge()          walks a stream or file and says whether it may be restored
//     Snapshot::open() judges a file, then gives typed access to it
#pragma once

#include <skep/snapshot/v1/snapshot.pb.h>
#include <skep/snapshot/v1/vcpu.pb.h>

#include <snapshot/error.hpp>
#include <snapshot/io.hpp>
#include <snapshot/summary.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace skep::snapshot {

enum class Depth {
    // Everything except that compressed pages are not decompressed: damage is found by checksums,
    // every rule is checked; only a file made with bad intent can still fail while its pages are
    // loaded.
    Checksums,
    Full,
};

struct JudgeOptions {
    Depth depth = Depth::Full;
    ProgressCallback progress = {};  // in bytes of the file
};

// Reads to the end. Memory use is bounded by what was really read, whatever lengths the file
// claims. To keep a copy, read through a TeeSource.
Result<Summary> judge(Source& source, const JudgeOptions& options = {});

// An optional record of a kind that this release does not know. Whoever rewrites the file keeps it.
struct UnknownRecord {
    std::string kind;
    std::uint16_t version;
    std::uint64_t offset;
    std::vector<std::byte> payload;
};

class Snapshot {
  public:
    // The file must outlive the snapshot and not change under it; pages are checked again when they
    // are loaded, so a change is an error, never wrong content.
    static Result<Snapshot> open(const File& file, const JudgeOptions& options = {});

    Snapshot(Snapshot&&) noexcept;
    Snapshot& operator=(Snapshot&&) noexcept;
    ~Snapshot();

    const v1::Manifest& manifest() const;
    const v1::Clock& clock() const;
    std::span<const v1::VcpuState> vcpus() const;      // by index
    std::span<const v1::DeviceState> devices() const;  // in file order; restore them through Claims
    const v1::Schema* schema() const;                  // null if there is none
    std::span<const UnknownRecord> unknown_records() const;
    const Summary& summary() const;

    // Gives the memory for [gpa, gpa + size), which holds zeros. At least `size` bytes.
    using RamMapper =
        std::function<Result<std::span<std::byte>>(std::uint64_t gpa, std::uint64_t size)>;
    // Fills the guest's RAM. Zero pages are not touched.
    Status load_ram(const RamMapper& mapper, const ProgressCallback& progress = {}) const;

    // Takes content that is not zero.
    using RunWriter = std::function<Status(std::uint64_t offset, std::span<const std::byte> data)>;
    // Calls `write` for every run of non-zero pages of a copied disk; the rest of the disk is zero.
    Status load_disk(std::uint32_t disk, const RunWriter& write,
                     const ProgressCallback& progress = {}) const;

  private:
    class State;
    explicit Snapshot(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace skep::snapshot
