#include <kernel/dev/memory_devices.hpp>

#include <kernel/base/make.hpp>
#include <kernel/dev/random.hpp>
#include <kernel/sched/thread.hpp>
#include <kernel/vfs/device.hpp>
#include <kernel/vfs/file.hpp>

#include <algorithm>
#include <array>

namespace skep::kernel {

namespace {

enum class MemoryDevice : std::uint8_t {
    Null,
    Zero,
    Full,
    Random
};

class MemoryFile final : public File {
  public:
    MemoryFile(MemoryDevice which, std::uint32_t flags)
        : File(FileKind::Device, flags), which_(which) {}

    Result<std::size_t> read(Uio& uio, std::uint64_t*) override {
        if (which_ == MemoryDevice::Null)
            return 0;
        std::array<std::byte, 256> chunk{};
        std::size_t done = 0;
        while (uio.remaining()) {
            const std::size_t size = std::min(uio.remaining(), chunk.size());
            if (which_ == MemoryDevice::Random)
                fill_random(chunk.data(), size);
            auto moved = uio.put(chunk.data(), size);
            if (!moved)
                return done ? Result<std::size_t>(done) : moved;
            done += *moved;
            if (*moved < size)
                break;
            if (done % kSignalCheck == 0 && signal_pending())
                break;
        }
        return done;
    }
    Result<std::size_t> write(Uio& uio, std::uint64_t*) override {
        if (which_ == MemoryDevice::Full)
            return fail(Errno::NoSpc);
        return uio.remaining();
    }
    Result<std::uint64_t> seek(std::int64_t, int) override { return 0; }

  private:
    static constexpr std::size_t kSignalCheck = 64 * 1024;
    MemoryDevice which_;
};

class MemoryDeviceDriver final : public Device {
  public:
    explicit MemoryDeviceDriver(MemoryDevice which) : which_(which) {}
    Result<Ref<File>> open(std::uint32_t flags) override {
        return make_ref<MemoryFile>(which_, flags);
    }

  private:
    MemoryDevice which_;
};

}  // namespace

Result<> register_memory_devices() {
    struct Row {
        std::string_view name;
        MemoryDevice which;
        std::uint32_t minor;
    };
    constexpr std::uint32_t kMemoryMajor = 1;  // as Linux numbers them
    for (const Row& row :
         {Row{"null", MemoryDevice::Null, 3}, Row{"zero", MemoryDevice::Zero, 5},
          Row{"full", MemoryDevice::Full, 7}, Row{"random", MemoryDevice::Random, 8},
          Row{"urandom", MemoryDevice::Random, 9}}) {
        Ref<MemoryDeviceDriver> driver = SKEP_TRY(make_ref<MemoryDeviceDriver>(row.which));
        SKEP_TRY(register_device({.name = row.name,
                                  .permissions = 0666,
                                  .number = device_number(kMemoryMajor, row.minor)},
                                 driver));
    }
    return {};
}

}  // namespace skep::kernel
