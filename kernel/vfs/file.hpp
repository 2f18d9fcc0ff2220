// An open file description: what a descriptor refers to. Everything with a descriptor derives from it: open
// vnodes, pipes, sockets, kqueues, ttys, /dev/vmm.
#pragma once

#include <kernel/base/ref.hpp>
#include <kernel/event/source.hpp>
#include <kernel/mm/user.hpp>
#include <kernel/sync/wait.hpp>

#include <atomic>

namespace skep::kernel {

class VmObject;
struct FileStat;  // kernel/vfs/stat.hpp

// Open-file flags, FreeBSD's numbers (fcntl.h).
inline constexpr std::uint32_t kOpenRead = 0x1;       // FREAD (O_RDONLY + 1)
inline constexpr std::uint32_t kOpenWrite = 0x2;      // FWRITE
inline constexpr std::uint32_t kOpenNonblock = 0x4;   // O_NONBLOCK
inline constexpr std::uint32_t kOpenAppend = 0x8;     // O_APPEND

enum class FileKind : std::uint8_t { Vnode, Pipe, Socket, Kqueue, Tty, Device, Event };

struct MmapRequest {
    std::uint64_t offset, size;
    std::uint32_t protection;  // PROT_*
    bool shared;
};

class File : public RefCounted {
  public:
    File(FileKind kind, std::uint32_t flags) : kind_(kind), flags_(flags) {}
    FileKind kind() const { return kind_; }
    std::uint32_t flags() const { return flags_.load(std::memory_order_relaxed); }
    void set_flags(std::uint32_t flags) { flags_.store(flags, std::memory_order_relaxed); }
    bool nonblocking() const { return flags() & kOpenNonblock; }

    // offset: null = the file's own position (or a stream). -> bytes; 0 = end of file.
    virtual Result<std::size_t> read(Uio&, std::uint64_t* offset) { (void)offset; return fail(Errno::OpNotSupp); }
    virtual Result<std::size_t> write(Uio&, std::uint64_t* offset) { (void)offset; return fail(Errno::OpNotSupp); }
    virtual Result<std::uint64_t> seek(std::int64_t offset, int whence) { (void)offset, (void)whence; return fail(Errno::SPipe); }
    // `argument` is a user pointer or a value; `request` in the caller's personality has been made canonical for
    // the shared calls (FIONREAD, FIONBIO, termios: kernel/abi/*/ioctl.cpp), else it is passed through.
    virtual Result<std::uint64_t> ioctl(std::uint64_t request, UserAddr argument) { (void)request, (void)argument; return fail(Errno::NoTty); }
    virtual Result<> stat(FileStat&) { return fail(Errno::OpNotSupp); }
    virtual Result<> truncate(std::uint64_t size) { (void)size; return fail(Errno::Inval); }
    virtual Result<> sync() { return fail(Errno::Inval); }
    virtual Result<Ref<VmObject>> mmap(const MmapRequest&, std::uint64_t* object_offset);  // default: NoDev
    // The last descriptor that names this open file goes away (memory may live on).
    virtual void on_last_close() {}

    virtual Events ready(Events interest) { return interest & (kReadable | kWritable); }
    EventSource& events() { return events_; }

  private:
    FileKind kind_;
    std::atomic<std::uint32_t> flags_;
    EventSource events_;
};

}  // namespace skep::kernel
