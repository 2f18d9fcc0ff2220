#include <kernel/ipc/pipe.hpp>

#include <kernel/ipc/fifo.hpp>
#include <kernel/sched/clock.hpp>
#include <kernel/vfs/ioctl.hpp>
#include <kernel/vfs/vnode.hpp>

#include <algorithm>

namespace skep::kernel {

// One end, or both (a fifo opened for reading and writing).
class PipeFile final : public File {
  public:
    PipeFile(Ref<Pipe> pipe, std::uint32_t flags)
        : File(FileKind::Pipe, flags), pipe_(std::move(pipe)) {
        pipe_->add_end(flags & kOpenRead, flags & kOpenWrite);
    }
    ~PipeFile() override { on_last_close(); }

    Result<std::size_t> read(Uio& uio, std::uint64_t*) override {
        return pipe_->read(uio, nonblocking());
    }
    Result<std::size_t> write(Uio& uio, std::uint64_t*) override {
        return pipe_->write(uio, nonblocking());
    }
    Result<std::uint64_t> ioctl(std::uint64_t request, UserAddr argument) override {
        if (request != kIoctlBytesReadable)
            return fail(Errno::NoTty);
        SKEP_TRY(copy_out(argument, static_cast<int>(pipe_->bytes_readable())));
        return 0;
    }
    Result<> stat(FileStat& stat) override {
        if (vnode())
            return vnode()->stat(stat);
        stat = FileStat();
        stat.inode = reinterpret_cast<std::uintptr_t>(pipe_.get()) >> 4 & 0xffff'ffff;
        stat.mode = mode_of(VnodeType::Fifo) | 0600;
        stat.accessed = stat.modified = stat.changed = stat.created = realtime_now();
        return {};
    }
    void on_last_close() override {
        if (!closed_.exchange(true))
            pipe_->remove_end(flags() & kOpenRead, flags() & kOpenWrite);
    }
    const char* description() const override { return "pipe"; }
    Events ready(Events interest) override {
        return pipe_->ready(flags() & kOpenRead, flags() & kOpenWrite, interest);
    }
    EventSource& events() override { return pipe_->events_; }
    std::uint64_t amount(Events which) override {
        const std::size_t used = pipe_->bytes_readable();
        return which & kReadable ? used : pipe_->capacity() - used;
    }

  private:
    Ref<Pipe> pipe_;
    std::atomic<bool> closed_{false};
};

Pipe::~Pipe() {
    ::operator delete(ring_);
}

void Pipe::add_end(bool read_end, bool write_end) {
    {
        SpinGuard guard(lock_);
        readers_ += read_end;
        writers_ += write_end;
        readers_ever_ += read_end;
        writers_ever_ += write_end;
    }
    openers_.wake_all();
}

void Pipe::remove_end(bool read_end, bool write_end) {
    {
        SpinGuard guard(lock_);
        readers_ -= read_end;
        writers_ -= write_end;
        if (!readers_ && !writers_)
            start_ = used_ = 0;  // what nobody read is gone
    }
    readers_waiting_.wake_all();
    writers_waiting_.wake_all();
    events_.notify(kReadable | kWritable | kHangup | kError);
}

std::size_t Pipe::contiguous_used() const {
    return std::min(used_, kPipeCapacity - start_);
}

std::size_t Pipe::contiguous_free() const {
    const std::size_t end = (start_ + used_) % kPipeCapacity;
    return std::min(kPipeCapacity - used_, kPipeCapacity - end);
}

std::size_t Pipe::bytes_readable() {
    SpinGuard guard(lock_);
    return used_;
}

Result<std::size_t> Pipe::read(Uio& uio, bool nonblocking) {
    if (!uio.remaining())
        return 0;
    for (;;) {
        {
            SpinGuard guard(lock_);
            while (!used_) {
                if (!writers_)
                    return 0;
                if (nonblocking)
                    return fail(Errno::Again);
                SKEP_TRY(readers_waiting_.wait(guard));
            }
        }
        MutexGuard order(read_order_);
        std::size_t done = 0;
        Result<> result;
        while (uio.remaining()) {
            std::size_t chunk, at;
            {
                SpinGuard guard(lock_);
                chunk = std::min(contiguous_used(), uio.remaining());
                at = start_;
            }
            if (!chunk)
                break;
            auto moved = uio.put(ring_ + at, chunk);
            if (!moved) {
                result = fail(moved.error());
                break;
            }
            done += *moved;
            SpinGuard guard(lock_);
            start_ = (start_ + *moved) % kPipeCapacity;
            used_ -= *moved;
            if (*moved < chunk)
                break;
        }
        order.unlock();
        if (done) {
            writers_waiting_.wake_all();
            events_.notify(kWritable);
            return done;
        }
        SKEP_TRY(result);
        // Another reader was faster.
    }
}

// At most `size` bytes, as far as there is room; with write_order_ held.
Result<> Pipe::copy_in(Uio& uio, std::size_t size, std::size_t& done) {
    while (size) {
        std::size_t chunk, at;
        {
            SpinGuard guard(lock_);
            chunk = std::min(contiguous_free(), size);
            at = (start_ + used_) % kPipeCapacity;
        }
        if (!chunk)
            return {};
        const std::size_t moved = SKEP_TRY(uio.take(ring_ + at, chunk));
        {
            SpinGuard guard(lock_);
            used_ += moved;
        }
        done += moved;
        size -= moved;
        if (moved < chunk)
            return fail(Errno::Fault);
    }
    return {};
}

Result<std::size_t> Pipe::write(Uio& uio, bool nonblocking) {
    std::size_t done = 0;
    auto finish = [&](Errno error) -> Result<std::size_t> {
        if (done)
            return done;
        return fail(error);
    };
    if (!uio.remaining())
        return 0;
    while (uio.remaining()) {
        // A write of at most kPipeAtomic bytes waits for room for all of it.
        const std::size_t needed =
            done == 0 && uio.remaining() <= kPipeAtomic ? uio.remaining() : 1;
        {
            SpinGuard guard(lock_);
            for (;;) {
                if (!readers_)
                    return finish(Errno::Pipe);
                if (kPipeCapacity - used_ >= needed)
                    break;
                if (nonblocking)
                    return finish(Errno::Again);
                if (auto woken = writers_waiting_.wait(guard); !woken)
                    return finish(woken.error());
            }
        }
        MutexGuard order(write_order_);
        if (!ring_) {
            ring_ = static_cast<std::byte*>(::operator new(kPipeCapacity, std::nothrow));
            if (!ring_)
                return finish(Errno::NoMem);
        }
        {
            SpinGuard guard(lock_);
            if (kPipeCapacity - used_ < needed)
                continue;  // another writer was faster
        }
        const std::size_t before = done;
        auto copied = copy_in(uio, uio.remaining(), done);
        order.unlock();
        if (done > before) {
            readers_waiting_.wake_all();
            events_.notify(kReadable);
        }
        if (!copied)
            return finish(copied.error());
    }
    return done;
}

Events Pipe::ready(bool read_end, bool write_end, Events interest) {
    SpinGuard guard(lock_);
    Events events = 0;
    if (read_end) {
        if (used_)
            events |= kReadable;
        if (!writers_ && writers_ever_)
            events |= kHangup;  // without data no kReadable, as Linux's poll does
    }
    if (write_end) {
        if (kPipeCapacity - used_ >= kPipeAtomic)
            events |= kWritable;
        if (!readers_ && readers_ever_)
            events |= kError | kWritable;
    }
    return events & (interest | kError | kHangup);
}

Result<PipePair> create_pipe(std::uint32_t flags) {
    Ref<Pipe> pipe = SKEP_TRY(make_ref<Pipe>());
    PipePair pair;
    pair.read_end = SKEP_TRY(make_ref<PipeFile>(pipe, flags | kOpenRead));
    pair.write_end = SKEP_TRY(make_ref<PipeFile>(pipe, flags | kOpenWrite));
    return pair;
}

Result<Ref<File>> open_fifo(Vnode& vnode, std::uint32_t flags) {
    Ref<Pipe> fresh = SKEP_TRY(make_ref<Pipe>());
    Ref<RefCounted> attached = vnode.attach(Ref<RefCounted>(fresh));
    Ref<Pipe> pipe(static_cast<Pipe*>(attached.get()));  // nothing else is attached to a fifo
    const bool reading = flags & kOpenRead, writing = flags & kOpenWrite;
    // A peer that is there, or that comes from now on, has been met, even if it is gone before this
    // thread looks again.
    bool met;
    std::uint64_t before;
    {
        SpinGuard guard(pipe->lock_);
        if (writing && !reading && (flags & kOpenNonblock) && !pipe->readers_)
            return fail(Errno::NxIo);
        met = (reading ? pipe->writers_ : pipe->readers_) != 0;
        before = reading ? pipe->writers_ever_ : pipe->readers_ever_;
    }
    Ref<PipeFile> file = SKEP_TRY(make_ref<PipeFile>(pipe, flags));
    file->set_vnode(Ref<Vnode>(&vnode));
    if (reading != writing && !(flags & kOpenNonblock)) {
        SpinGuard guard(pipe->lock_);
        while (!met && (reading ? pipe->writers_ever_ : pipe->readers_ever_) == before)
            SKEP_TRY(pipe->openers_.wait(guard));
    }
    return Ref<File>(std::move(file));
}

}  // namespace skep::kernel
