#include <kernel/mm/frame.hpp>
#include <kernel/vfs/tmpfs/tmpfs.hpp>

#include <algorithm>
#include <cstring>

namespace skep::kernel {

namespace {

// In the tree a present page is its frame's address with this bit set.
constexpr std::uint64_t kPresent = 1;
// Files leave this share of memory to others; beyond it: NoSpc.
constexpr std::uint64_t kReserveDivisor = 32;

alignas(kPageSize) constinit const std::byte zero_page[kPageSize] = {};

constexpr std::uint64_t page_of(std::uint64_t offset) {
    return offset / kPageSize;
}
constexpr std::uint64_t pages_for(std::uint64_t size) {
    return size / kPageSize + (size % kPageSize != 0);
}
constexpr std::size_t within(std::uint64_t offset) {
    return offset % kPageSize;
}

Result<PhysAddr> new_frame() {
    const MemoryUse use = memory_use();
    if (use.free_frames < use.total_frames / kReserveDivisor)
        return fail(Errno::NoSpc);
    auto frame = allocate_user_frame();
    if (!frame)
        return fail(Errno::NoSpc);
    return frame;
}

}  // namespace

TmpfsPages::~TmpfsPages() {
    drop_locked(0, ~0ull);
}

void TmpfsPages::set_backing(std::span<const std::byte> archive_bytes) {
    MutexGuard guard(lock_);
    backing_ = archive_bytes;
    size_.store(archive_bytes.size());
}

Result<PhysAddr> TmpfsPages::frame_locked(std::uint64_t index, bool create) {
    if (const std::uint64_t word = tree_.get(index))
        return PhysAddr{word & ~kPresent};
    const bool from_archive = backed(index);
    if (!create && !from_archive)
        return PhysAddr{};
    PhysAddr frame;
    if (from_archive) {
        const std::span<const std::byte> rest = backing_.subspan(index * kPageSize);
        const bool whole = rest.size() >= kPageSize;
        if (whole && reinterpret_cast<std::uintptr_t>(rest.data()) % kPageSize == 0) {
            frame = direct_map_to_physical(rest.data());
            retain_frame(frame);
        } else {
            frame = SKEP_TRY(new_frame());
            auto* to = static_cast<std::byte*>(direct_map(frame));
            const std::size_t size = std::min(rest.size(), kPageSize);
            std::memcpy(to, rest.data(), size);
            std::memset(to + size, 0, kPageSize - size);
        }
    } else {
        frame = SKEP_TRY(new_frame());
        std::memset(direct_map(frame), 0, kPageSize);
    }
    if (auto stored = tree_.set(index, frame.value | kPresent); !stored) {
        release_frame(frame);
        return fail(stored.error());
    }
    present_.fetch_add(1, std::memory_order_relaxed);
    counter_.fetch_add(1, std::memory_order_relaxed);
    return frame;
}

Result<ObjectPage> TmpfsPages::page(std::uint64_t index, bool) {
    MutexGuard guard(lock_);
    if (index >= pages_for(size()))
        return fail(Errno::Fault);
    const PhysAddr frame = SKEP_TRY(frame_locked(index, true));
    retain_frame(frame);
    return ObjectPage{.frame = frame};
}

void TmpfsPages::drop_locked(std::uint64_t first, std::uint64_t end) {
    std::uint64_t dropped = 0;
    tree_.for_each(first, end, [&](std::uint64_t, std::uint64_t& word) {
        release_frame(PhysAddr{word & ~kPresent});
        word = 0;
        dropped++;
    });
    present_.fetch_sub(dropped, std::memory_order_relaxed);
    counter_.fetch_sub(dropped, std::memory_order_relaxed);
}

// Bytes [from, to) of a page; a hole stays one.
Result<> TmpfsPages::zero_locked(std::uint64_t index, std::size_t from, std::size_t to) {
    const PhysAddr frame = SKEP_TRY(frame_locked(index, false));
    if (frame.value)
        std::memset(static_cast<std::byte*>(direct_map(frame)) + from, 0, to - from);
    return {};
}

Result<> TmpfsPages::set_size(std::uint64_t size) {
    MutexGuard guard(lock_);
    if (size < this->size()) {
        if (within(size))  // what lies behind the end must read as zeros when the file grows again
            SKEP_TRY(zero_locked(page_of(size), within(size), kPageSize));
        backing_ = backing_.first(std::min<std::uint64_t>(backing_.size(), size));
        drop_locked(pages_for(size), ~0ull);
    }
    size_.store(size, std::memory_order_release);
    return {};
}

void TmpfsPages::grow_to(std::uint64_t size) {
    MutexGuard guard(lock_);
    if (size > this->size())
        size_.store(size, std::memory_order_release);
}

Result<std::size_t> TmpfsPages::read(Uio& uio, std::uint64_t offset) {
    std::size_t done = 0;
    while (uio.remaining()) {
        const std::uint64_t end = size();
        if (offset >= end)
            break;
        const std::size_t chunk = std::min(
            {uio.remaining(), kPageSize - within(offset), static_cast<std::size_t>(end - offset)});
        Result<PhysAddr> frame;
        {
            MutexGuard guard(lock_);
            frame = frame_locked(page_of(offset), false);
            if (frame && frame->value)
                retain_frame(*frame);
        }
        if (!frame)
            return done ? Result<std::size_t>(done) : fail(frame.error());
        const std::byte* from =
            frame->value ? static_cast<std::byte*>(direct_map(*frame)) : zero_page;
        auto moved = uio.put(from + within(offset), chunk);
        if (frame->value)
            release_frame(*frame);
        if (!moved)
            return done ? Result<std::size_t>(done) : moved;
        done += *moved;
        offset += *moved;
        if (*moved < chunk)
            break;  // a fault part way
    }
    return done;
}

Result<std::size_t> TmpfsPages::write(Uio& uio, std::uint64_t offset) {
    std::size_t done = 0;
    while (uio.remaining()) {
        const std::size_t chunk = std::min(uio.remaining(), kPageSize - within(offset));
        Result<PhysAddr> frame;
        {
            MutexGuard guard(lock_);
            frame = frame_locked(page_of(offset), true);
            if (frame)
                retain_frame(*frame);
        }
        if (!frame)
            return done ? Result<std::size_t>(done) : fail(frame.error());
        auto moved = uio.take(static_cast<std::byte*>(direct_map(*frame)) + within(offset), chunk);
        release_frame(*frame);
        if (!moved)
            return done ? Result<std::size_t>(done) : moved;
        done += *moved;
        offset += *moved;
        grow_to(offset);
        if (*moved < chunk)
            break;
    }
    return done;
}

Result<> TmpfsPages::allocate(std::uint64_t first, std::uint64_t end) {
    for (std::uint64_t index = page_of(first); index < pages_for(end); index++) {
        MutexGuard guard(lock_);
        SKEP_TRY(frame_locked(index, true));
    }
    return {};
}

Result<> TmpfsPages::clear(std::uint64_t offset, std::uint64_t end) {
    MutexGuard guard(lock_);
    end = std::min(end, pages_for(size()) * kPageSize);
    if (offset >= end)
        return {};
    // Archive content must be in the tree before part of it is cleared: the backing has no holes.
    if (offset < backing_.size())
        for (std::uint64_t index = page_of(offset); index < pages_for(end) && backed(index);
             index++)
            SKEP_TRY(frame_locked(index, false));
    for (std::uint64_t at = offset; at < end;) {
        const std::uint64_t index = page_of(at);
        const std::uint64_t stop = std::min(end, (index + 1) * kPageSize);
        if (within(at) == 0 && within(stop) == 0 && !backed(index)) {
            // The backing comes first in a file: nothing behind this page is backed either.
            drop_locked(index, page_of(end));
            at = page_of(end) * kPageSize;
            continue;
        }
        SKEP_TRY(zero_locked(index, within(at), stop - index * kPageSize));
        at = stop;
    }
    return {};
}

Result<std::uint64_t> TmpfsPages::seek_data(std::uint64_t offset, bool hole) {
    MutexGuard guard(lock_);
    const std::uint64_t end = size();
    if (offset >= end)
        return fail(Errno::NxIo);
    if (!hole) {
        if (offset < backing_.size())
            return offset;
        const std::uint64_t index = tree_.next(page_of(offset));
        if (index >= pages_for(end))
            return fail(Errno::NxIo);
        return std::max(offset, index * kPageSize);
    }
    std::uint64_t index = page_of(std::max<std::uint64_t>(
        offset, backing_.size() ? pages_for(backing_.size()) * kPageSize : 0));
    while (index < pages_for(end) && tree_.get(index))
        index++;
    return std::min(end, std::max(offset, index * kPageSize));
}

}  // namespace skep::kernel
