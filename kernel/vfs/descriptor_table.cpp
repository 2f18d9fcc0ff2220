#include <kernel/vfs/descriptor_table.hpp>

#include <kernel/vfs/record_locks.hpp>
#include <kernel/vfs/vnode.hpp>

#include <algorithm>

namespace skep::kernel {

Result<> DescriptorTable::grow_to(std::uint32_t size, SpinGuard& guard) {
    while (entries_.size() < size) {
        const std::size_t target = std::max<std::size_t>({size, entries_.size() * 2, 16});
        guard.unlock();
        Vector<Entry> larger;
        auto grown = larger.resize(target);
        guard.relock();
        if (!grown)
            return grown;
        if (larger.size() <= entries_.size())
            continue;  // another thread grew it meanwhile
        for (std::size_t i = 0; i < entries_.size(); i++)
            larger[i] = std::move(entries_[i]);
        larger.swap(entries_);
        guard.unlock();
        larger = Vector<Entry>();
        guard.relock();
    }
    return {};
}

Result<Ref<DescriptorTable>> DescriptorTable::copy() {
    Ref<DescriptorTable> fresh = SKEP_TRY(make_ref<DescriptorTable>());
    SpinGuard guard(lock_);
    for (;;) {
        const std::size_t size = entries_.size();
        guard.unlock();
        SKEP_TRY(fresh->entries_.resize(size));
        guard.relock();
        if (entries_.size() <= size)
            break;
    }
    for (std::size_t i = 0; i < entries_.size(); i++) {
        fresh->entries_[i] = {entries_[i].file, entries_[i].close_on_exec};
        if (entries_[i].file)
            entries_[i].file->descriptor_added();
    }
    fresh->lowest_free_ = lowest_free_;
    guard.unlock();
    return fresh;
}

Result<Ref<File>> DescriptorTable::get(std::uint32_t descriptor) {
    SpinGuard guard(lock_);
    if (descriptor >= entries_.size() || !entries_[descriptor].file)
        return fail(Errno::BadF);
    return entries_[descriptor].file;
}

Result<std::uint32_t> DescriptorTable::add(Ref<File> file, bool close_on_exec, std::uint32_t limit,
                                           std::uint32_t minimum) {
    limit = std::min(limit, kMax);
    if (minimum >= limit)
        return fail(minimum ? Errno::Inval : Errno::MFile);
    SpinGuard guard(lock_);
    std::uint32_t descriptor = std::max(minimum, lowest_free_);
    for (;;) {
        while (descriptor < entries_.size() && entries_[descriptor].file)
            descriptor++;
        if (descriptor >= limit)
            return fail(Errno::MFile);
        if (descriptor < entries_.size())
            break;
        SKEP_TRY(grow_to(descriptor + 1, guard));  // gives the lock up: look again
    }
    file->descriptor_added();
    entries_[descriptor].file = std::move(file);
    entries_[descriptor].close_on_exec = close_on_exec;
    if (minimum <= lowest_free_)
        lowest_free_ = descriptor + 1;
    return descriptor;
}

Result<> DescriptorTable::replace(std::uint32_t descriptor, Ref<File> file, bool close_on_exec,
                                  std::uint32_t limit) {
    if (descriptor >= std::min(limit, kMax))
        return fail(Errno::BadF);
    Ref<File> old;
    {
        SpinGuard guard(lock_);
        SKEP_TRY(grow_to(descriptor + 1, guard));
        file->descriptor_added();
        old = std::exchange(entries_[descriptor].file, std::move(file));
        entries_[descriptor].close_on_exec = close_on_exec;
    }
    if (old)
        finish_close(descriptor, std::move(old));
    return {};
}

Ref<File> DescriptorTable::take(std::uint32_t descriptor) {
    Ref<File> file = std::move(entries_[descriptor].file);
    entries_[descriptor].close_on_exec = false;
    lowest_free_ = std::min(lowest_free_, descriptor);
    return file;
}

void DescriptorTable::finish_close(std::uint32_t descriptor, Ref<File> file) {
    if (const Ref<Vnode>& vnode = file->vnode())
        if (RecordLocks* locks = vnode->record_locks_if_any())
            locks->release_owner(lock_owner());
    file->descriptor_closed(this, descriptor);
    file->descriptor_removed();
}

Result<> DescriptorTable::close(std::uint32_t descriptor) {
    Ref<File> file;
    {
        SpinGuard guard(lock_);
        if (descriptor >= entries_.size() || !entries_[descriptor].file)
            return fail(Errno::BadF);
        file = take(descriptor);
    }
    finish_close(descriptor, std::move(file));
    return {};
}

void DescriptorTable::close_range(std::uint32_t first, std::uint32_t last) {
    for (;;) {
        auto found = next(first);
        if (!found || *found > last)
            return;
        (void)close(*found);
        if (*found == last)
            return;
        first = *found + 1;
    }
}

void DescriptorTable::set_close_on_exec_range(std::uint32_t first, std::uint32_t last) {
    SpinGuard guard(lock_);
    for (std::uint64_t i = first; i < entries_.size() && i <= last; i++)
        entries_[i].close_on_exec = static_cast<bool>(entries_[i].file);
}

Result<bool> DescriptorTable::close_on_exec(std::uint32_t descriptor) {
    SpinGuard guard(lock_);
    if (descriptor >= entries_.size() || !entries_[descriptor].file)
        return fail(Errno::BadF);
    return entries_[descriptor].close_on_exec;
}

Result<> DescriptorTable::set_close_on_exec(std::uint32_t descriptor, bool value) {
    SpinGuard guard(lock_);
    if (descriptor >= entries_.size() || !entries_[descriptor].file)
        return fail(Errno::BadF);
    entries_[descriptor].close_on_exec = value;
    return {};
}

void DescriptorTable::close_for_exec() {
    for (std::uint32_t i = 0;; i++) {
        Ref<File> file;
        {
            SpinGuard guard(lock_);
            while (i < entries_.size() && !(entries_[i].file && entries_[i].close_on_exec))
                i++;
            if (i >= entries_.size())
                return;
            file = take(i);
        }
        finish_close(i, std::move(file));
    }
}

void DescriptorTable::close_all() {
    close_range(0, ~0u);
}

Result<std::uint32_t> DescriptorTable::next(std::uint32_t from) {
    SpinGuard guard(lock_);
    for (std::uint32_t i = from; i < entries_.size(); i++)
        if (entries_[i].file)
            return i;
    return fail(Errno::NoEnt);
}

std::uint32_t DescriptorTable::open_count() {
    SpinGuard guard(lock_);
    return static_cast<std::uint32_t>(
        std::ranges::count_if(entries_, [](const Entry& e) { return static_cast<bool>(e.file); }));
}

}  // namespace skep::kernel
