// An open file description: what a descriptor refers to. Everything with a descriptor derives from
// it: open vnodes, pipes, sockets, kqueues, ttys, /dev/vmm.
#pragma once

#include <kernel/base/ref.hpp>
#include <kernel/base/text.hpp>
#include <kernel/event/knote_list.hpp>
#include <kernel/event/source.hpp>
#include <kernel/mm/user.hpp>
#include <kernel/mm/vm_object.hpp>
#include <kernel/sync/wait.hpp>
#include <kernel/vfs/vnode.hpp>

#include <atomic>

namespace skep::kernel {

class Kqueue;
class ProcessDescriptor;
namespace linux_abi {
class SignalFd;
}
class Socket;
class TimerFd;
class Tty;

// Open-file flags, FreeBSD's numbers (fcntl.h).
inline constexpr std::uint32_t kOpenRead = 0x1;        // FREAD (O_RDONLY + 1)
inline constexpr std::uint32_t kOpenWrite = 0x2;       // FWRITE
inline constexpr std::uint32_t kOpenNonblock = 0x4;    // O_NONBLOCK
inline constexpr std::uint32_t kOpenAppend = 0x8;      // O_APPEND
inline constexpr std::uint32_t kOpenAsync = 0x40;      // O_ASYNC
inline constexpr std::uint32_t kOpenDirect = 0x10000;  // O_DIRECT
inline constexpr std::uint32_t kOpenPath = 0x400000;  // O_PATH: names a file, no reading or writing

// Ours: a write that nobody will read fails without a signal (SO_NOSIGPIPE).
inline constexpr std::uint32_t kFileNoPipeSignal = 0x80000000;

enum class FileKind : std::uint8_t {
    Vnode,
    Pipe,
    Socket,
    Kqueue,
    Tty,
    Device,
    Event
};

struct MmapRequest {
    std::uint64_t offset, size;
    std::uint32_t protection;  // PROT_*
    bool shared;
};

class File : public RefCounted {
  public:
    File(FileKind kind, std::uint32_t flags);
    ~File() override;
    FileKind kind() const { return kind_; }
    std::uint32_t flags() const { return flags_.load(std::memory_order_relaxed); }
    void set_flags(std::uint32_t flags) { flags_.store(flags, std::memory_order_relaxed); }
    bool nonblocking() const { return flags() & kOpenNonblock; }

    // offset: null = the file's own position (or a stream). -> bytes; 0 = end of file.
    virtual Result<std::size_t> read(Uio&, std::uint64_t* offset) {
        (void)offset;
        return fail(Errno::OpNotSupp);
    }
    virtual Result<std::size_t> write(Uio&, std::uint64_t* offset) {
        (void)offset;
        return fail(Errno::OpNotSupp);
    }
    virtual Result<std::uint64_t> seek(std::int64_t offset, int whence) {
        (void)offset, (void)whence;
        return fail(Errno::SPipe);
    }
    // `argument` is a user pointer or a value; `request` in the caller's personality has been made
    // canonical for the shared calls (FIONREAD, FIONBIO, termios: kernel/abi/*/ioctl.cpp), else it
    // is passed through.
    virtual Result<std::uint64_t> ioctl(std::uint64_t request, UserAddr argument) {
        (void)request, (void)argument;
        return fail(Errno::NoTty);
    }
    virtual Result<> stat(FileStat&);  // default: the vnode's
    virtual Result<> truncate(std::uint64_t size) {
        (void)size;
        return fail(Errno::Inval);
    }
    virtual Result<> sync() { return fail(Errno::Inval); }
    virtual Result<Ref<VmObject>> mmap(const MmapRequest&,
                                       std::uint64_t* object_offset);  // default: NoDev
    // From position `*position` on, which it moves. NotDir unless it is a directory.
    virtual Result<> read_directory(DirectorySink&);
    // The last descriptor that names this open file goes away (memory may live on).
    virtual void on_last_close() {}
    // One of several descriptors went away.
    virtual void on_descriptor_removed() {}

    // The vnode that it was opened by (a regular file, directory, device node, fifo), or null.
    const Ref<Vnode>& vnode() const { return vnode_; }
    // Set once, before the file is shared.
    void set_vnode(Ref<Vnode> vnode) { vnode_ = std::move(vnode); }
    // By which directory and name it was opened, for /proc/self/fd. NoMem.
    Result<> set_opened_as(Ref<Vnode> directory, std::string_view name);
    const Ref<Vnode>& opened_in() const { return directory_; }
    std::string_view opened_name() const { return name_.view(); }
    virtual Socket* socket() { return nullptr; }
    virtual Tty* tty() { return nullptr; }
    virtual bool tty_master() const { return false; }  // the other side of tty(), a pty
    virtual Kqueue* kqueue() { return nullptr; }
    virtual TimerFd* timerfd() { return nullptr; }
    virtual ProcessDescriptor* process_descriptor() { return nullptr; }
    virtual linux_abi::SignalFd* signalfd() { return nullptr; }
    // What /proc/self/fd shows for a file without a name: "pipe", "socket",
    // "anon_inode:[eventpoll]"...
    virtual const char* description() const { return "anon_inode"; }

    // Kept by descriptor tables and by messages in flight.
    void descriptor_added() { descriptors_.fetch_add(1, std::memory_order_relaxed); }
    void descriptor_removed();
    std::uint32_t descriptor_count() const { return descriptors_.load(std::memory_order_relaxed); }
    // close() of one descriptor: event filters that were registered by its number go away.
    void descriptor_closed(const void* table, std::uint32_t descriptor) {
        knotes_.remove_descriptor(*this, table, descriptor);
    }
    KnoteList& knotes() { return knotes_; }

    virtual Events ready(Events interest) { return interest & (kReadable | kWritable); }
    virtual EventSource& events() { return events_; }
    // What kevent's `data` shows: bytes that can be read or written, connections that wait.
    virtual std::uint64_t amount(Events which) {
        (void)which;
        return 1;
    }

  private:
    FileKind kind_;
    std::atomic<std::uint32_t> flags_;
    std::atomic<std::uint32_t> descriptors_{0};
    EventSource events_;
    KnoteList knotes_;
    Ref<Vnode> vnode_, directory_;
    Text name_;
};

}  // namespace skep::kernel
