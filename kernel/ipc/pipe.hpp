// Pipes: a ring of bytes between two ends.
#pragma once

#include <kernel/base/make.hpp>
#include <kernel/vfs/file.hpp>

namespace skep::kernel {

inline constexpr std::size_t kPipeCapacity = 64 * 1024;
inline constexpr std::size_t kPipeAtomic = 4096;  // PIPE_BUF: writes up to it are not interleaved

class PipeFile;

// What both ends share. Bytes are copied outside the spin lock: one reader at a time takes from the
// used part of the ring and one writer at a time fills the free part.
class Pipe : public RefCounted {
  public:
    ~Pipe() override;
    Result<std::size_t> read(Uio&, bool nonblocking);
    Result<std::size_t> write(Uio&, bool nonblocking);  // Pipe: no reader
    std::size_t bytes_readable();
    Events ready(bool read_end, bool write_end, Events interest);
    std::size_t capacity() const { return kPipeCapacity; }

  private:
    friend class PipeFile;
    friend Result<Ref<File>> open_fifo(Vnode&, std::uint32_t);
    std::size_t contiguous_used() const;
    std::size_t contiguous_free() const;
    Result<> copy_in(Uio&, std::size_t size, std::size_t& done);
    void add_end(bool read_end, bool write_end);
    void remove_end(bool read_end, bool write_end);

    SpinLock lock_{"Pipe"};
    WaitQueue readers_waiting_, writers_waiting_, openers_;
    Mutex read_order_{"Pipe readers"}, write_order_{"Pipe writers"};  // before lock_
    std::byte* ring_ = nullptr;  // made by the first writer, under write_order_
    std::size_t start_ = 0, used_ = 0;
    std::uint32_t readers_ = 0, writers_ = 0;  // open ends
    std::uint64_t readers_ever_ = 0, writers_ever_ = 0;
    EventSource events_;
};

struct PipePair {
    Ref<File> read_end, write_end;
};
// `flags`: kOpenNonblock or 0.
Result<PipePair> create_pipe(std::uint32_t flags);

}  // namespace skep::kernel
