#include <guestdev/virtio_blk/virtio_blk.hpp>

#include <algorithm>
#include <array>
#include <cstring>

namespace skep::guestdev {
namespace {

constexpr std::uint64_t kSectorSize = 512;
constexpr std::uint32_t kSegmentsMax = 126;

// 5.2.3
constexpr std::uint64_t kFeatureSegMax = 1 << 2, kFeatureReadOnly = 1 << 5,
                        kFeatureBlockSize = 1 << 6, kFeatureFlush = 1 << 9;
// 5.2.6
enum RequestType : std::uint32_t {
    kIn = 0,
    kOut = 1,
    kFlush = 4,
    kGetId = 8
};
enum RequestStatus : std::uint8_t {
    kOk = 0,
    kIoError = 1,
    kUnsupported = 2
};
struct RequestHeader {
    std::uint32_t type, reserved;
    std::uint64_t sector;
};
static_assert(sizeof(RequestHeader) == 16);

// 5.2.4
struct Config {
    std::uint64_t capacity;  // sectors
    std::uint32_t size_max, seg_max;
    std::uint16_t cylinders;
    std::uint8_t heads, sectors;
    std::uint32_t block_size;
};
static_assert(sizeof(Config) == 24);

std::uint64_t total(const std::vector<std::span<std::byte>>& buffers) {
    std::uint64_t sum = 0;
    for (const auto& buffer : buffers)
        sum += buffer.size();
    return sum;
}

// Copies the first bytes out and takes them off the buffers.
bool take_front(std::vector<std::span<std::byte>>& buffers, std::span<std::byte> target) {
    for (auto& buffer : buffers) {
        std::size_t part = std::min(buffer.size(), target.size());
        if (part != 0)
            std::memcpy(target.data(), buffer.data(), part);
        buffer = buffer.subspan(part);
        target = target.subspan(part);
    }
    return target.empty();
}

}  // namespace

std::uint64_t VirtioBlk::features() const {
    return kFeatureSegMax | kFeatureBlockSize | kFeatureFlush | (read_only_ ? kFeatureReadOnly : 0);
}

std::uint8_t VirtioBlk::config_byte(std::uint64_t offset) const {
    Config config{};
    config.capacity = backend_.size() / kSectorSize;
    config.seg_max = kSegmentsMax;
    config.block_size = kSectorSize;
    std::array<std::uint8_t, sizeof config> bytes;
    std::memcpy(bytes.data(), &config, sizeof config);
    return offset < bytes.size() ? bytes[offset] : 0;
}

std::uint32_t VirtioBlk::serve(DescriptorChain& chain, std::uint8_t& status) {
    RequestHeader header{};
    status = kIoError;
    if (!take_front(chain.readable, std::as_writable_bytes(std::span(&header, 1))))
        return 0;
    std::uint64_t offset = header.sector * kSectorSize;
    auto in_range = [&](std::uint64_t length) {
        return header.sector <= backend_.size() / kSectorSize &&
               length <= backend_.size() - offset && length % kSectorSize == 0;
    };
    switch (header.type) {
        case kIn: {
            std::uint64_t length = total(chain.writable);
            if (!in_range(length))
                return 0;
            for (auto buffer : chain.writable) {
                if (!backend_.read(offset, buffer))
                    return 0;
                offset += buffer.size();
            }
            status = kOk;
            return static_cast<std::uint32_t>(length);
        }
        case kOut:
            if (read_only_ || !in_range(total(chain.readable)))
                return 0;
            for (auto buffer : chain.readable) {
                if (!backend_.write(offset, buffer))
                    return 0;
                offset += buffer.size();
            }
            status = kOk;
            return 0;
        case kFlush:
            status = backend_.flush() ? kOk : kIoError;
            return 0;
        case kGetId: {
            std::size_t written = 0;
            for (auto buffer : chain.writable) {
                std::size_t part = std::min(buffer.size(), serial_.size() - written);
                std::memcpy(buffer.data(), serial_.data() + written, part);
                written += part;
            }
            status = kOk;
            return static_cast<std::uint32_t>(written);
        }
        default:
            status = kUnsupported;
            return 0;
    }
}

std::expected<bool, std::string> VirtioBlk::process(unsigned /*queue_index*/, VirtQueue& queue,
                                                    std::uint64_t /*features*/,
                                                    const GuestMemory& memory) {
    bool used = false;
    while (true) {
        auto chain = queue.pop(memory);
        if (!chain)
            return std::unexpected(chain.error());
        if (!*chain)
            return used;
        DescriptorChain& request = **chain;
        // The last writable byte is the status, wherever the buffers are cut.
        while (!request.writable.empty() && request.writable.back().empty())
            request.writable.pop_back();
        if (request.writable.empty())
            return std::unexpected("a request without a status byte");
        auto& last = request.writable.back();
        std::byte* status_byte = &last.back();
        last = last.first(last.size() - 1);

        std::uint8_t status;
        std::uint32_t written = serve(request, status);
        *status_byte = std::byte{status};
        if (auto pushed = queue.push(memory, request.head, written + 1); !pushed)
            return std::unexpected(pushed.error());
        used = true;
    }
}

}  // namespace skep::guestdev
