// The event filters that watch one open file. A filter does not keep the file open: it goes when
// the last descriptor does (epoll), or the descriptor that it was registered by (kqueue).
#pragma once

#include <kernel/base/errno.hpp>
#include <kernel/base/list.hpp>
#include <kernel/sync/spinlock.hpp>

namespace skep::kernel {

class File;
class Knote;
struct FileKnoteTag {};

class KnoteList {
  public:
    // BadF: the file has no descriptors any more.
    Result<> add(Knote&);
    void remove(Knote&);
    void remove_descriptor(File&, const void* table, std::uint32_t descriptor);
    void close(File&);

  private:
    friend class Kqueue;
    SpinLock lock_{"KnoteList"};
    List<Knote, FileKnoteTag> knotes_;
    std::atomic<std::uint32_t> count_{0};
    bool closed_ = false;
};

}  // namespace skep::kernel
