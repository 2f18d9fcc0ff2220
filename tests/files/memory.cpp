// Files and memory: mappings and read/write show the same pages.
#include "check.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <csignal>

namespace skep::files_test {

namespace {

constexpr std::size_t kPage = 4096;

class Mapping {
  public:
    Mapping(int fd, std::size_t size, int protection, int flags, off_t offset = 0)
        : at_(static_cast<char*>(::mmap(nullptr, size, protection, flags, fd, offset))),
          size_(size) {
        if (at_ == MAP_FAILED)
            wrong("mmap", 0, errno);
    }
    ~Mapping() { ::munmap(at_, size_); }
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    char* get() const { return at_; }

  private:
    char* at_;
    std::size_t size_;
};

void shared_mapping() {
    const Folder f;
    const Fd fd(::open((f / "m").c_str(), O_RDWR | O_CREAT, 0600));
    CHECK(::ftruncate(fd, 3 * kPage) == 0);
    const Mapping map(fd, 3 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED);
    CHECK(::pwrite(fd, "file", 4, kPage) == 4 && std::memcmp(map.get() + kPage, "file", 4) == 0);
    std::memcpy(map.get() + 2 * kPage, "memory", 6);
    char text[6];
    CHECK(::pread(fd, text, 6, 2 * kPage) == 6 && std::memcmp(text, "memory", 6) == 0);
    const Mapping part(fd, kPage, PROT_READ, MAP_SHARED, 2 * kPage);
    CHECK(part.get()[0] == 'm');
    CHECK(in_child([&] { map.get()[0] = 'c'; }) == 0);
    CHECK(map.get()[0] == 'c');
    CHECK(::msync(map.get(), 3 * kPage, MS_SYNC) == 0);
    const Fd reading(::open((f / "m").c_str(), O_RDONLY));
    CHECK_ERROR(reinterpret_cast<long>(
                    ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, reading, 0)),
                EACCES);
    CHECK_ERROR(reinterpret_cast<long>(::mmap(nullptr, kPage, PROT_READ, MAP_SHARED, fd, 7)),
                EINVAL);
    int ends[2];
    CHECK(::pipe(ends) == 0);
    const Fd in(ends[0]), out(ends[1]);
    CHECK_ERROR(reinterpret_cast<long>(::mmap(nullptr, kPage, PROT_READ, MAP_SHARED, in, 0)),
                ENODEV);
}

void private_mapping() {
    const Folder f;
    const Fd fd(::open((f / "m").c_str(), O_RDWR | O_CREAT, 0600));
    CHECK(::write(fd, "original", 8) == 8);
    const Mapping map(fd, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    CHECK(map.get()[0] == 'o' && map.get()[8] == 0);
    map.get()[0] = 'X';
    char byte;
    CHECK(::pread(fd, &byte, 1, 0) == 1 && byte == 'o');
    CHECK(in_child([&] { map.get()[1] = 'Y'; }) == 0);
    CHECK(map.get()[1] == 'r' && map.get()[0] == 'X');
}

void past_the_end() {
    const Folder f;
    const std::string path = f / "m";
    CHECK(in_child([&] {
              const Fd fd(::open(path.c_str(), O_RDWR | O_CREAT, 0600));
              CHECK(::ftruncate(fd, 10) == 0);
              const Mapping map(fd, 2 * kPage, PROT_READ, MAP_SHARED);
              CHECK(map.get()[100] == 0);
              volatile char byte = map.get()[kPage];
              (void)byte;
          }) == 128 + SIGBUS);
}

void outlives_its_file() {
    const Folder f;
    char* at;
    {
        const Fd fd(::open((f / "m").c_str(), O_RDWR | O_CREAT, 0600));
        CHECK(::write(fd, "kept", 4) == 4);
        at = static_cast<char*>(::mmap(nullptr, kPage, PROT_READ, MAP_SHARED, fd, 0));
        CHECK(at != MAP_FAILED);
    }
    CHECK(::unlink((f / "m").c_str()) == 0);
    CHECK(std::memcmp(at, "kept", 4) == 0);
    CHECK(::munmap(at, kPage) == 0);
}

// A write from a mapping of the same file, not yet present: the page fault comes in the middle of
// the write.
void written_from_itself() {
    const Folder f;
    const Fd fd(::open((f / "m").c_str(), O_RDWR | O_CREAT, 0600));
    CHECK(::ftruncate(fd, 4 * kPage) == 0);
    CHECK(::pwrite(fd, "source", 6, 3 * kPage) == 6);
    const Mapping map(fd, 4 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED);
    CHECK(::pwrite(fd, map.get() + 3 * kPage, 6, 0) == 6);
    CHECK(::pread(fd, map.get() + kPage, 6, 0) == 6);
    CHECK(std::memcmp(map.get() + kPage, "source", 6) == 0);
}

}  // namespace

const Case memory_cases[] = {
    {"shared_mapping", shared_mapping},
    {"private_mapping", private_mapping},
    {"past_the_end", past_the_end},
    {"outlives_its_file", outlives_its_file},
    {"written_from_itself", written_from_itself},
};
const unsigned memory_case_count = std::size(memory_cases);

}  // namespace skep::files_test
