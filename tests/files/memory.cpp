// Files and memory: mappings and read/write show the same pages.
#include "check.hpp"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

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

// FUTEX_WAKE_OP; `words` is the two of them, `number` what FUTEX_OP makes.
long wake_op(std::uint32_t* words, int number) {
    return ::syscall(SYS_futex, words, FUTEX_WAKE_OP, 1, 1L, words + 1, number);
}

void futex_wake_op() {
    const Mapping map(-1, kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
    auto* words = reinterpret_cast<std::uint32_t*>(map.get());
    struct {
        int number;
        std::uint32_t after;
    } const changes[] = {
        {FUTEX_OP(FUTEX_OP_SET, 5, FUTEX_OP_CMP_EQ, 12), 5},
        {FUTEX_OP(FUTEX_OP_ADD, 0xfff, FUTEX_OP_CMP_EQ, 12), 11},  // numbers are signed
        {FUTEX_OP(FUTEX_OP_OR, 3, FUTEX_OP_CMP_EQ, 12), 15},
        {FUTEX_OP(FUTEX_OP_ANDN, 4, FUTEX_OP_CMP_EQ, 12), 8},
        {FUTEX_OP(FUTEX_OP_XOR, 9, FUTEX_OP_CMP_EQ, 12), 5},
        {FUTEX_OP(FUTEX_OP_SET | FUTEX_OP_OPARG_SHIFT, 4, FUTEX_OP_CMP_EQ, 12), 16},
    };
    for (const auto& change : changes) {
        words[1] = 12;
        CHECK(wake_op(words, change.number) == 0 && words[1] == change.after);
    }
    CHECK_ERROR(wake_op(words, static_cast<int>(FUTEX_OP(5, 0, FUTEX_OP_CMP_EQ, 0))), ENOSYS);
    CHECK_ERROR(wake_op(words, static_cast<int>(FUTEX_OP(FUTEX_OP_SET, 0, 6, 0))), ENOSYS);
    CHECK_ERROR(::syscall(SYS_futex, words, FUTEX_WAKE_OP, 1, 1L, map.get() + 5, 0), EINVAL);
    CHECK_ERROR(::syscall(SYS_futex, words, FUTEX_WAKE_OP, 1, 1L, 8, 0), EFAULT);

    // A sleeper on each word; the second is woken only if the old value is as compared.
    words[0] = words[1] = 0;
    pid_t sleepers[2];
    for (int i = 0; i < 2; i++) {
        sleepers[i] = ::fork();
        if (sleepers[i] == 0)
            ::_exit(::syscall(SYS_futex, words + i, FUTEX_WAIT, 0, nullptr) == 0 ? 0 : 1);
    }
    // The words keep their values, lest one that has not slept yet find another.
    while (wake_op(words, FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_GT, 0)) == 0)
        ::usleep(1000);
    int status = -1;
    CHECK(::waitpid(sleepers[0], &status, 0) == sleepers[0] && status == 0);
    CHECK(::waitpid(sleepers[1], &status, WNOHANG) == 0);
    while (wake_op(words, FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_LE, 0)) == 0)
        ::usleep(1000);
    CHECK(::waitpid(sleepers[1], &status, 0) == sleepers[1] && status == 0);
}

}  // namespace

const Case memory_cases[] = {
    {"shared_mapping", shared_mapping},
    {"private_mapping", private_mapping},
    {"past_the_end", past_the_end},
    {"outlives_its_file", outlives_its_file},
    {"written_from_itself", written_from_itself},
    {"futex_wake_op", futex_wake_op},
};
const unsigned memory_case_count = std::size(memory_cases);

}  // namespace skep::files_test
