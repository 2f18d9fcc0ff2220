// Where snapshots are written to and read from: files, sockets, memory.
#pragma once

#include <snapshot/error.hpp>

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

namespace skep::snapshot {

// Takes bytes in order; never asked to seek.
class Sink {
  public:
    virtual ~Sink() = default;
    virtual Status write(std::span<const std::byte> data) = 0;  // all of it, or an error
};

// Gives bytes in order.
class Source {
  public:
    virtual ~Source() = default;
    // Reads at least one byte; 0 is the end.
    virtual Result<std::size_t> read(std::span<std::byte> buffer) = 0;
};

// Gives bytes at any place.
class File {
  public:
    virtual ~File() = default;
    // Reads at least one byte; 0 is at or past the end.
    virtual Result<std::size_t> read_at(std::uint64_t offset,
                                        std::span<std::byte> buffer) const = 0;
    virtual Result<std::uint64_t> size() const = 0;
};

// The following do not own their descriptor.
class FdSink final : public Sink {
  public:
    explicit FdSink(int fd) : fd_(fd) {}
    Status write(std::span<const std::byte> data) override;

  private:
    int fd_;
};

class FdSource final : public Source {
  public:
    explicit FdSource(int fd) : fd_(fd) {}
    Result<std::size_t> read(std::span<std::byte> buffer) override;

  private:
    int fd_;
};

class FdFile final : public File {
  public:
    explicit FdFile(int fd) : fd_(fd) {}
    Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> buffer) const override;
    Result<std::uint64_t> size() const override;

  private:
    int fd_;
};

class MemorySink final : public Sink {
  public:
    Status write(std::span<const std::byte> data) override;
    const std::vector<std::byte>& bytes() const { return bytes_; }
    std::vector<std::byte> take() { return std::move(bytes_); }

  private:
    std::vector<std::byte> bytes_;
};

class MemoryFile final : public File {
  public:
    explicit MemoryFile(std::span<const std::byte> bytes) : bytes_(bytes) {}
    Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> buffer) const override;
    Result<std::uint64_t> size() const override { return bytes_.size(); }

  private:
    std::span<const std::byte> bytes_;
};

// A File from start to end. The File must outlive it.
class FileSource final : public Source {
  public:
    explicit FileSource(const File& file) : file_(file) {}
    Result<std::size_t> read(std::span<std::byte> buffer) override;

  private:
    const File& file_;
    std::uint64_t offset_ = 0;
};

// Hands on what it reads and writes a copy: an import is judged while it is stored.
class TeeSource final : public Source {
  public:
    TeeSource(Source& source, Sink& copy) : source_(source), copy_(copy) {}
    Result<std::size_t> read(std::span<std::byte> buffer) override;

  private:
    Source& source_;
    Sink& copy_;
};

// Called between batches of long work with bytes done and in total (0: not known). Returning false
// cancels the work with ErrorCode::Cancelled.
using ProgressCallback = std::function<bool(std::uint64_t done, std::uint64_t total)>;

}  // namespace skep::snapshot
