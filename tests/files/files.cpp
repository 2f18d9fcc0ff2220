// Names, descriptors, locks.
#include "check.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <set>
#include <vector>

namespace skep::files_test {

namespace {

void put(const std::string& path, const std::string& text) {
    const Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644));
    CHECK(::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
}
std::string get(const std::string& path) {
    const Fd fd(::open(path.c_str(), O_RDONLY));
    char buffer[256];
    const ssize_t size = ::read(fd, buffer, sizeof buffer);
    CHECK(size >= 0);
    return {buffer, static_cast<std::size_t>(size)};
}

void open_flags() {
    const Folder f;
    put(f / "a", "text");
    CHECK_ERROR(::open((f / "a").c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600), EEXIST);
    CHECK_ERROR(::open((f / "no").c_str(), O_RDONLY), ENOENT);
    CHECK_ERROR(::open((f / "a" + "/x").c_str(), O_RDONLY), ENOTDIR);
    CHECK_ERROR(::open((f / "a").c_str(), O_RDONLY | O_DIRECTORY), ENOTDIR);
    CHECK_ERROR(::open(f.path().c_str(), O_WRONLY), EISDIR);
    CHECK_ERROR(::open((f / "new" + "/").c_str(), O_WRONLY | O_CREAT, 0600), EISDIR);
    CHECK_ERROR(::open("", O_RDONLY), ENOENT);
    CHECK_ERROR(::open(reinterpret_cast<const char*>(16), O_RDONLY), EFAULT);
    CHECK_ERROR(::open((f / std::string(300, 'n')).c_str(), O_RDONLY), ENAMETOOLONG);
    CHECK_ERROR(::open(std::string(5000, '/').c_str(), O_RDONLY), ENAMETOOLONG);
    CHECK(::symlink("a", (f / "l").c_str()) == 0);
    CHECK_ERROR(::open((f / "l").c_str(), O_RDONLY | O_NOFOLLOW), ELOOP);
    const Fd append(::open((f / "a").c_str(), O_RDWR | O_APPEND));
    CHECK(::lseek(append, 0, SEEK_SET) == 0);
    CHECK(::write(append, "+", 1) == 1);
    CHECK(get(f / "a") == "text+");
    CHECK((::fcntl(append, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK)) == (O_RDWR | O_APPEND));
    const Fd reading(::open((f / "a").c_str(), O_RDONLY));
    CHECK_ERROR(::write(reading, "x", 1), EBADF);
    CHECK_ERROR(::ftruncate(reading, 0), EINVAL);
    char byte;
    CHECK_ERROR(::read(12345, &byte, 1), EBADF);
    const Fd path(::open((f / "a").c_str(), O_PATH));
    CHECK_ERROR(::read(path, &byte, 1), EBADF);
    struct stat st;
    CHECK(::fstat(path, &st) == 0 && st.st_size == 5);
    const Fd unnamed(::open(f.path().c_str(), O_TMPFILE | O_RDWR, 0600));
    CHECK(::write(unnamed, "u", 1) == 1);
}

void positions() {
    const Folder f;
    const Fd fd(::open((f / "a").c_str(), O_RDWR | O_CREAT, 0600));
    CHECK(::pwrite(fd, "abcdef", 6, 10) == 6);
    char buffer[32];
    CHECK(::pread(fd, buffer, 32, 8) == 8 && std::memcmp(buffer, "\0\0abcdef", 8) == 0);
    CHECK(::lseek(fd, 0, SEEK_CUR) == 0 && ::lseek(fd, -2, SEEK_END) == 14);
    CHECK(::read(fd, buffer, 32) == 2 && ::read(fd, buffer, 32) == 0);
    CHECK_ERROR(::lseek(fd, -1, SEEK_SET), EINVAL);
    CHECK_ERROR(::lseek(fd, 0, 99), EINVAL);
    iovec parts[] = {{buffer, 3}, {buffer + 10, 3}};
    CHECK(::preadv(fd, parts, 2, 10) == 6 && std::memcmp(buffer, "abc", 3) == 0 &&
          std::memcmp(buffer + 10, "def", 3) == 0);
    CHECK_ERROR(::pread(fd, buffer, 1, -1), EINVAL);
    CHECK(::lseek(fd, 0, SEEK_SET) == 0);
    void* volatile nowhere = reinterpret_cast<void*>(16);
    CHECK_ERROR(::read(fd, nowhere, 1), EFAULT);
    CHECK(::ftruncate(fd, 12) == 0 && ::lseek(fd, 0, SEEK_END) == 12);
    int pipes[2];
    CHECK(::pipe(pipes) == 0);
    const Fd in(pipes[0]), out(pipes[1]);
    CHECK_ERROR(::lseek(in, 0, SEEK_CUR), ESPIPE);
    CHECK_ERROR(::pread(in, buffer, 1, 0), ESPIPE);
}

void names() {
    const Folder f;
    CHECK(::mkdir((f / "d").c_str(), 0755) == 0);
    CHECK_ERROR(::mkdir((f / "d").c_str(), 0755), EEXIST);
    put(f / "d/x", "1");
    CHECK_ERROR(::rmdir((f / "d").c_str()), ENOTEMPTY);
    CHECK_ERROR(::rmdir((f / "d/x").c_str()), ENOTDIR);
    CHECK_ERROR(::unlink((f / "d").c_str()), EISDIR);
    CHECK_ERROR(::rmdir((f / "d/.").c_str()), EINVAL);
    CHECK(::link((f / "d/x").c_str(), (f / "y").c_str()) == 0);
    struct stat a, b;
    CHECK(::stat((f / "d/x").c_str(), &a) == 0 && ::stat((f / "y").c_str(), &b) == 0);
    CHECK(a.st_ino == b.st_ino && a.st_nlink == 2);
    CHECK_ERROR(::link(f.path().c_str(), (f / "z").c_str()), EPERM);
    put(f / "w", "2");
    CHECK(::rename((f / "w").c_str(), (f / "y").c_str()) == 0 && get(f / "y") == "2" &&
          get(f / "d/x") == "1");
    CHECK_ERROR(::rename((f / "d").c_str(), (f / "d/e").c_str()), EINVAL);
    CHECK_ERROR(::rename((f / "y").c_str(), (f / "d").c_str()), EISDIR);
    CHECK_ERROR(::rename((f / "d").c_str(), (f / "y").c_str()), ENOTDIR);
    CHECK(::renameat2(AT_FDCWD, (f / "y").c_str(), AT_FDCWD, (f / "d/x").c_str(), 2) ==
          0);  // RENAME_EXCHANGE
    CHECK(get(f / "y") == "1" && get(f / "d/x") == "2");
    CHECK_ERROR(::renameat2(AT_FDCWD, (f / "y").c_str(), AT_FDCWD, (f / "d/x").c_str(), 1), EEXIST);
    CHECK(::symlink("d/x", (f / "l").c_str()) == 0 && get(f / "l") == "2");
    char target[16];
    CHECK(::readlink((f / "l").c_str(), target, sizeof target) == 3 &&
          std::memcmp(target, "d/x", 3) == 0);
    CHECK(::readlink((f / "l").c_str(), target, 2) == 2);
    CHECK_ERROR(::readlink((f / "y").c_str(), target, 2), EINVAL);
    CHECK(::symlink("loop", (f / "loop").c_str()) == 0);
    CHECK_ERROR(::stat((f / "loop").c_str(), &a), ELOOP);
    const Fd dir(::open((f / "d").c_str(), O_RDONLY | O_DIRECTORY));
    const Fd at(::openat(dir, "../y", O_RDONLY));
    CHECK(::fstatat(dir, "x", &a, 0) == 0 && ::fstatat(at, "", &b, AT_EMPTY_PATH) == 0);
    CHECK_ERROR(::fstatat(at, "x", &a, 0), ENOTDIR);
    const Fd open_while(::open((f / "y").c_str(), O_RDWR));
    CHECK(::unlink((f / "y").c_str()) == 0);
    CHECK(::write(open_while, "still", 5) == 5 && ::fstat(open_while, &a) == 0 && a.st_nlink == 0 &&
          a.st_size == 5);
    char cwd[256];
    CHECK(::fchdir(dir) == 0 && ::getcwd(cwd, sizeof cwd) && f / "d" == cwd);
    CHECK(::chdir("/") == 0);
    CHECK_ERROR(::chdir((f / "d/x").c_str()), ENOTDIR);
}

void directories() {
    const Folder f;
    for (int i = 0; i < 3000; i++)
        CHECK(::close(::open((f / ("n" + std::to_string(i))).c_str(), O_WRONLY | O_CREAT, 0600)) ==
              0);
    DIR* dir = ::opendir(f.path().c_str());
    CHECK(dir);
    std::set<std::string> seen;
    while (const dirent* entry = ::readdir(dir))
        CHECK(seen.insert(entry->d_name).second);
    CHECK(seen.size() == 3002 && seen.contains(".") && seen.contains(".."));
    ::rewinddir(dir);
    const std::string first = ::readdir(dir)->d_name;
    const long place = ::telldir(dir);
    const std::string second = ::readdir(dir)->d_name;
    ::seekdir(dir, place);
    CHECK(first != second && second == ::readdir(dir)->d_name);
    ::closedir(dir);
    char small[10];
    const Fd fd(::open(f.path().c_str(), O_RDONLY));
    CHECK_ERROR(::syscall(SYS_getdents64, static_cast<int>(fd), small, sizeof small), EINVAL);
    CHECK_ERROR(::read(fd, small, 1), EISDIR);
}

void attributes() {
    const Folder f;
    put(f / "a", "12345");
    CHECK(::chmod((f / "a").c_str(), 04751) == 0);
    struct stat st;
    CHECK(::stat((f / "a").c_str(), &st) == 0 && (st.st_mode & 07777) == 04751 &&
          S_ISREG(st.st_mode) && st.st_size == 5);
    const timespec times[] = {{1000000000, 123456789}, {-5, 7}};
    CHECK(::utimensat(AT_FDCWD, (f / "a").c_str(), times, 0) == 0 &&
          ::stat((f / "a").c_str(), &st) == 0);
    CHECK(st.st_atim.tv_sec == 1000000000 && st.st_atim.tv_nsec == 123456789 &&
          st.st_mtim.tv_sec == -5 && st.st_mtim.tv_nsec == 7);
    const timespec omit[] = {{0, UTIME_OMIT}, {0, UTIME_NOW}};
    CHECK(::utimensat(AT_FDCWD, (f / "a").c_str(), omit, 0) == 0 &&
          ::stat((f / "a").c_str(), &st) == 0);
    CHECK(st.st_atim.tv_sec == 1000000000 && st.st_mtim.tv_sec > 1000000000);
    const timespec bad[] = {{0, 2000000000}, {0, 0}};
    CHECK_ERROR(::utimensat(AT_FDCWD, (f / "a").c_str(), bad, 0), EINVAL);
    struct statx sx;
    CHECK(::statx(AT_FDCWD, (f / "a").c_str(), 0, STATX_ALL, &sx) == 0 && sx.stx_size == 5 &&
          sx.stx_ino == st.st_ino && (sx.stx_mask & STATX_BTIME));
    CHECK(::access((f / "a").c_str(), R_OK | W_OK) == 0);
    CHECK_ERROR(::access((f / "b").c_str(), F_OK), ENOENT);
    CHECK(::truncate((f / "a").c_str(), 1 << 20) == 0 && ::stat((f / "a").c_str(), &st) == 0 &&
          st.st_size == 1 << 20);
    CHECK(st.st_blocks * 512 <= 8192);
    CHECK_ERROR(::truncate((f / "a").c_str(), -1), EINVAL);
    const mode_t old = ::umask(027);
    CHECK(::mkdir((f / "m").c_str(), 0777) == 0 && ::stat((f / "m").c_str(), &st) == 0 &&
          (st.st_mode & 0777) == 0750);
    ::umask(old);
    struct statvfs vfs;
    CHECK(::statvfs(f.path().c_str(), &vfs) == 0 && vfs.f_bsize == 4096 && vfs.f_bfree > 0);
    CHECK(::mkfifo((f / "p").c_str(), 0600) == 0 && ::stat((f / "p").c_str(), &st) == 0 &&
          S_ISFIFO(st.st_mode));
    CHECK(::stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == 0x103);
}

void descriptors() {
    int pipes[2];
    CHECK(::pipe2(pipes, O_CLOEXEC) == 0);
    CHECK(::fcntl(pipes[0], F_GETFD) == FD_CLOEXEC);
    const int copy = ::dup(pipes[0]);
    CHECK(::fcntl(copy, F_GETFD) == 0);
    CHECK(::fcntl(copy, F_DUPFD, 100) == 100 && ::fcntl(copy, F_DUPFD_CLOEXEC, 100) == 101);
    CHECK(::fcntl(101, F_GETFD) == FD_CLOEXEC);
    CHECK(::dup2(copy, 102) == 102 && ::dup2(102, 102) == 102);
    CHECK_ERROR(::dup3(102, 102, 0), EINVAL);
    CHECK_ERROR(::dup2(copy, -1), EBADF);
    CHECK_ERROR(::fcntl(copy, F_DUPFD, -1), EINVAL);
    CHECK(::syscall(SYS_close_range, 100, 102, 0) == 0);
    CHECK_ERROR(::close(101), EBADF);
    CHECK(::fcntl(pipes[1], F_SETFL, O_NONBLOCK) == 0 && (::fcntl(pipes[1], F_GETFL) & O_NONBLOCK));
    std::vector<char> much(1 << 20);
    CHECK(::write(pipes[1], much.data(), much.size()) == 65536);
    CHECK_ERROR(::write(pipes[1], "x", 1), EAGAIN);
    for (int fd : {pipes[0], pipes[1], copy})
        CHECK(::close(fd) == 0);
}

void pipes_and_fifos() {
    const Folder f;
    CHECK(::mkfifo((f / "p").c_str(), 0600) == 0);
    CHECK_ERROR(::open((f / "p").c_str(), O_WRONLY | O_NONBLOCK), ENXIO);
    const std::string path = f / "p";
    const pid_t writer = ::fork();
    if (writer == 0) {
        const int out = ::open(path.c_str(), O_WRONLY);  // waits for the reader
        ::_exit(out >= 0 && ::write(out, "through", 7) == 7 ? 0 : 1);
    }
    char text[16];
    {
        const Fd in(::open(path.c_str(), O_RDONLY));
        CHECK(::read(in, text, 16) == 7 && std::memcmp(text, "through", 7) == 0);
        CHECK(::read(in, text, 16) == 0);
    }
    int status;
    CHECK(::waitpid(writer, &status, 0) == writer && status == 0);
    const Fd both(::open(path.c_str(), O_RDWR));
    CHECK(::write(both, "x", 1) == 1 && ::read(both, text, 16) == 1);
}

void broken_pipe() {
    CHECK(in_child([] {
              int ends[2];
              CHECK(::pipe(ends) == 0);
              ::close(ends[0]);
              (void)!::write(ends[1], "x", 1);
          }) == 128 + SIGPIPE);
    CHECK(in_child([] {
              ::signal(SIGPIPE, SIG_IGN);
              int ends[2];
              CHECK(::pipe(ends) == 0);
              ::close(ends[0]);
              CHECK_ERROR(::write(ends[1], "x", 1), EPIPE);
          }) == 0);
}

struct flock range(short type, off_t start, off_t size) {
    struct flock lock {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = start;
    lock.l_len = size;
    return lock;
}

void record_locks() {
    const Folder f;
    const Fd fd(::open((f / "db").c_str(), O_RDWR | O_CREAT, 0600));
    struct flock lock = range(F_WRLCK, 100, 10);
    CHECK(::fcntl(fd, F_SETLK, &lock) == 0);
    const std::string path = f / "db";
    const pid_t parent = ::getpid();
    CHECK(in_child([&] {
              const Fd other(::open(path.c_str(), O_RDWR));
              struct flock wanted = range(F_RDLCK, 105, 1);
              CHECK_ERROR(::fcntl(other, F_SETLK, &wanted), EAGAIN);
              CHECK(::fcntl(other, F_GETLK, &wanted) == 0 && wanted.l_type == F_WRLCK &&
                    wanted.l_pid == parent && wanted.l_start == 100 && wanted.l_len == 10);
              wanted = range(F_WRLCK, 0, 100);
              CHECK(::fcntl(other, F_SETLK, &wanted) == 0);
          }) == 0);
    lock = range(F_WRLCK, 0, 0);  // the child's are gone with it
    CHECK(::fcntl(fd, F_SETLK, &lock) == 0);
    { const Fd again(::open(path.c_str(), O_RDONLY)); }  // any close drops the process's locks
    CHECK(in_child([&] {
              const Fd other(::open(path.c_str(), O_RDWR));
              struct flock wanted = range(F_WRLCK, 0, 0);
              CHECK(::fcntl(other, F_SETLK, &wanted) == 0);
          }) == 0);
    lock = range(F_WRLCK, 0, 0);
    lock.l_pid = 0;
    CHECK(::fcntl(fd, F_OFD_SETLK, &lock) == 0);
    const Fd second(::open(path.c_str(), O_RDWR));
    CHECK_ERROR(::fcntl(second, F_OFD_SETLK, &lock), EAGAIN);
}

void whole_file_locks() {
    const Folder f;
    const Fd a(::open((f / "x").c_str(), O_RDWR | O_CREAT, 0600)),
        b(::open((f / "x").c_str(), O_RDWR));
    CHECK(::flock(a, LOCK_SH) == 0 && ::flock(b, LOCK_SH) == 0);
    CHECK_ERROR(::flock(a, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    CHECK(::flock(b, LOCK_UN) == 0 && ::flock(a, LOCK_EX | LOCK_NB) == 0);
    {
        const Fd c(::open((f / "x").c_str(), O_RDWR));
        CHECK_ERROR(::flock(c, LOCK_SH | LOCK_NB), EWOULDBLOCK);
    }
    const Fd same(::dup(a));
    CHECK(::flock(same, LOCK_UN) == 0 && ::flock(b, LOCK_EX | LOCK_NB) == 0);
    const std::string path = f / "x";
    CHECK(::flock(b, LOCK_UN) == 0);
    CHECK(in_child([&] {
              const int fd = ::open(path.c_str(), O_RDWR);
              CHECK(::flock(fd, LOCK_EX) == 0);  // let go by the end of the process
          }) == 0);
    CHECK(::flock(a, LOCK_EX | LOCK_NB) == 0);
}

void holes() {
    const Folder f;
    const Fd fd(::open((f / "h").c_str(), O_RDWR | O_CREAT, 0600));
    CHECK(::pwrite(fd, "x", 1, 1 << 30) == 1);
    struct stat st;
    CHECK(::fstat(fd, &st) == 0 && st.st_size == (1 << 30) + 1 && st.st_blocks <= 16);
    CHECK(::lseek(fd, 0, SEEK_DATA) == 1 << 30 && ::lseek(fd, 1 << 30, SEEK_HOLE) == (1 << 30) + 1);
    CHECK_ERROR(::lseek(fd, (1 << 30) + 1, SEEK_DATA), ENXIO);
    CHECK(::fallocate(fd, 0, 0, 8192) == 0 && ::fstat(fd, &st) == 0 && st.st_blocks >= 16);
    CHECK(::pwrite(fd, "abc", 3, 4095) == 3);
    CHECK(::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == 0);
    char text[4];
    CHECK(::pread(fd, text, 4, 4094) == 4 && std::memcmp(text, "\0\0bc", 4) == 0);
}

void copies() {
    const Folder f;
    const std::string text(200000, 'x');
    put(f / "a", text);
    const Fd in(::open((f / "a").c_str(), O_RDONLY)),
        out(::open((f / "b").c_str(), O_RDWR | O_CREAT, 0600));
    off_t offset = 1000;
    CHECK(::sendfile(out, in, &offset, 150000) == 150000 && offset == 151000);
    CHECK(::lseek(in, 0, SEEK_CUR) == 0 && ::lseek(out, 0, SEEK_CUR) == 150000);
    off64_t from = 0, to = 5;
    CHECK(::copy_file_range(in, &from, out, &to, 300000, 0) == 200000 && from == 200000 &&
          to == 200005);
    const Fd memory(::memfd_create("name", MFD_CLOEXEC));
    CHECK(::write(memory, "m", 1) == 1);
    char link[64];
    const ssize_t size =
        ::readlink(("/proc/self/fd/" + std::to_string(memory)).c_str(), link, sizeof link);
    CHECK(size > 0 && std::string(link, static_cast<std::size_t>(size)) == "/memfd:name (deleted)");
}

void proc_files() {
    char path[256];
    const ssize_t size = ::readlink("/proc/self/exe", path, sizeof path);
    CHECK(size > 0 &&
          std::string(path, static_cast<std::size_t>(size)).ends_with("skep-files-test"));
    const Fd self(::open("/proc/self/exe", O_RDONLY));
    char magic[4];
    CHECK(::read(self, magic, 4) == 4 && std::memcmp(magic, "\177ELF", 4) == 0);
    CHECK(get("/proc/self/comm").starts_with("skep-files-test"));
    CHECK(get("/proc/self/cmdline").find("skep-files-test") != std::string::npos);
    CHECK(get("/proc/self/stat").starts_with(std::to_string(::getpid()) + " ("));
    for (const char* name : {"/proc/meminfo", "/proc/cpuinfo", "/proc/uptime", "/proc/self/maps",
                             "/proc/self/mounts", "/proc/self/status", "/proc/loadavg"})
        CHECK(!get(name).empty());
    DIR* dir = ::opendir("/proc/self/fd");
    CHECK(dir);
    int entries = 0;
    while (::readdir(dir))
        entries++;
    ::closedir(dir);
    CHECK(entries >= 5);
    CHECK_ERROR(::open("/proc/self/nothing", O_RDONLY), ENOENT);
    CHECK_ERROR(::open("/proc/999999/stat", O_RDONLY), ENOENT);
}

std::string contents(const char* path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

// What a program was started with; others' only for their user.
void proc_start_record() {
    std::string expected;
    for (char** e = environ; *e; e++)
        expected += std::string(*e) + '\0';
    CHECK(contents("/proc/self/environ") == expected);
    const std::string vector = contents("/proc/self/auxv");
    CHECK(!vector.empty() && vector.size() % 16 == 0);
    bool page_size = false;
    for (std::size_t at = 0; at < vector.size(); at += 16) {
        std::uint64_t pair[2];
        std::memcpy(pair, vector.data() + at, sizeof pair);
        for (const std::uint64_t type : {AT_PAGESZ, AT_ENTRY, AT_PHDR, AT_RANDOM})
            CHECK(pair[0] != type || pair[1] == ::getauxval(type));
        page_size |= pair[0] == AT_PAGESZ;
    }
    CHECK(page_size);
    if (::geteuid() != 0)
        return;
    CHECK(in_child([] {
              CHECK(::setresuid(1000, 1000, 1000) == 0);
              CHECK_ERROR(::open("/proc/1/environ", O_RDONLY), EACCES);
              CHECK_ERROR(::open("/proc/1/auxv", O_RDONLY), EACCES);
          }) == 0);
}

}  // namespace

const Case file_cases[] = {
    {"open_flags", open_flags},
    {"positions", positions},
    {"names", names},
    {"directories", directories},
    {"attributes", attributes},
    {"descriptors", descriptors},
    {"fifos", pipes_and_fifos},
    {"broken_pipe", broken_pipe},
    {"record_locks", record_locks},
    {"whole_file_locks", whole_file_locks},
    {"holes", holes},
    {"copies", copies},
    {"proc_files", proc_files},
    {"proc_start_record", proc_start_record},
};
const unsigned file_case_count = std::size(file_cases);

}  // namespace skep::files_test
