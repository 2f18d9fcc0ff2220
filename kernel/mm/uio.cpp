#include <kernel/mm/user.hpp>

#include <algorithm>
#include <cstring>

namespace skep::kernel {

Result<std::size_t> Uio::put(const void* from, std::size_t size) {
    size = std::min(size, remaining_);
    std::size_t done = 0;
    while (done < size) {
        const IoSegment& s = segments_.front();
        const std::size_t part = std::min(size - done, s.size - offset_);
        const auto* source = static_cast<const std::byte*>(from) + done;
        if (!user_)
            std::memcpy(reinterpret_cast<void*>(s.base + offset_), source, part);
        else if (auto copied = copy_out(s.base + offset_, source, part); !copied)
            return done ? Result<std::size_t>(done) : fail(copied.error());
        done += part;
        consume(part);
    }
    return done;
}

Result<std::size_t> Uio::take(void* to, std::size_t size) {
    size = std::min(size, remaining_);
    std::size_t done = 0;
    while (done < size) {
        const IoSegment& s = segments_.front();
        const std::size_t part = std::min(size - done, s.size - offset_);
        auto* target = static_cast<std::byte*>(to) + done;
        if (!user_)
            std::memcpy(target, reinterpret_cast<const void*>(s.base + offset_), part);
        else if (auto copied = copy_in(target, s.base + offset_, part); !copied)
            return done ? Result<std::size_t>(done) : fail(copied.error());
        done += part;
        consume(part);
    }
    return done;
}

void Uio::consume(std::size_t size) {
    remaining_ -= size;
    offset_ += size;
    while (!segments_.empty() && offset_ == segments_.front().size) {
        segments_ = segments_.subspan(1);
        offset_ = 0;
    }
}

}  // namespace skep::kernel
