// Writes a saved guest: one pass, no seeking, so that the other end may be a socket.
//
//     Writer writer = SKEP_TRY(Writer::begin(sink, manifest));
//     writer.clock(...); writer.vcpu(...); writer.device(...); writer.ram(...); writer.disk(...);
//     Summary summary = SKEP_TRY(writer.finish());
//
// The state records may come in any order. finish() refuses to end a file in which something that
// the manifest promises is missing, so a forgotten device is an error at save time already. After
// an error the output is to be thrown away.
#pragma once

#include <skep/snapshot/v1/snapshot.pb.h>
#include <skep/snapshot/v1/vcpu.pb.h>

#include <snapshot/error.hpp>
#include <snapshot/io.hpp>
#include <snapshot/summary.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace skep::snapshot {

struct WriterOptions {
    // zstd's level; 0 stores pages as they are. 1 is the fastest compression.
    int compression_level = 1;
    // Pages of 4 KiB that are compressed together, 1..1024. More compress better, fewer make
    // reading one page cheaper.
    std::uint32_t batch_pages = 256;
    // That compress pages. More than one: the bytes written are the same.
    unsigned threads = 1;
    // Adds the definitions of all messages, so that any later tool can show the file.
    bool include_schema = true;
    // In bytes of RAM and copied disks, of which the manifest knows the total.
    ProgressCallback progress = {};
};

class Writer {
  public:
    // Writes the header and the manifest. The sink must outlive the writer. `required_features` is
    // filled in by the writer. Refuses a manifest that a reader would refuse.
    static Result<Writer> begin(Sink& sink, v1::Manifest manifest, WriterOptions options = {});

    Writer(Writer&&) noexcept;
    Writer& operator=(Writer&&) noexcept;
    ~Writer();

    Status clock(const v1::Clock& clock);

    // In the order of their index. Every field must be set.
    Status vcpu(const v1::VcpuState& state);

    // One of manifest.devices, whose version is that of `state`.
    Status device(std::string_view kind, std::string_view instance,
                  const google::protobuf::Message& state);

    // Pages of RAM. Both address and size are multiples of 4096; of any size, the writer splits it.
    // Zero pages cost nothing. Each page of manifest.ram exactly once.
    Status ram(std::uint64_t gpa, std::span<const std::byte> pages);
    Status ram_zero(std::uint64_t gpa, std::uint64_t size);

    // Content of disk `disk` of manifest.disks, which must be a copy. The offset is a multiple of
    // 4096; the size too, except at the disk's end.
    Status disk(std::uint32_t disk, std::uint64_t offset, std::span<const std::byte> data);
    Status disk_zero(std::uint32_t disk, std::uint64_t offset, std::uint64_t size);

    // Checks that all is there; writes index and trailer.
    Result<Summary> finish();

  private:
    class State;
    explicit Writer(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace skep::snapshot
