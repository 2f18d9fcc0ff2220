// skep-vmm-drive: starts skep-vmm as skepd does and drives one guest from a script of steps,
// without skepd, network or client. For the test of this folder and for trying a guest by hand.
//
//   skep-vmm-drive PROGRAM STEP...
//     boot KERNEL INITRD COMMAND-LINE MEMORY-MIB VCPUS   a new guest with the disks given so far
//     disk FILE SIZE-MIB            a disk for the next boot or restore; created if it is not there
//     run | pause                   let it run, stop it
//     wait TEXT SECONDS             show the console until TEXT comes
//     type TEXT                     to the console; \n ends a line
//     save FILE | restore FILE      restore makes a new guest
//     end                           ask the process to shut down, destroy the guest
//     state                         print it
//     cpuid                         print what guests may have
#include <kernel/include/uapi/skep/vmm.h>
#include <skep/control/v1/control.pb.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace skep;
using Clock = std::chrono::steady_clock;

[[noreturn]] void stop(const std::string& what) {
    throw std::runtime_error(errno ? what + ": " + std::strerror(errno) : what);
}

int open_or_stop(const std::string& path, int flags) {
    int fd = open(path.c_str(), flags | O_CLOEXEC, 0600);
    if (fd < 0)
        stop(path);
    return fd;
}

class Guest {
  public:
    explicit Guest(const std::string& program) {
        static unsigned number = 0;
        std::snprintf(name_.name, sizeof name_.name, "drive-%u", number++);
        uapi::VmmCreate create{};
        std::memcpy(create.name, name_.name, sizeof create.name);
        control_device_ = open_or_stop("/dev/vmmctl", O_RDWR);
        if (ioctl(control_device_, uapi::VMMCTL_CREATE, &create) != 0)
            stop("VMMCTL_CREATE");
        int node = open_or_stop(std::string("/dev/vmm/") + name_.name, O_RDWR);
        std::array<int, 2> control, console;
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, control.data()) != 0 ||
            socketpair(AF_UNIX, SOCK_STREAM, 0, console.data()) != 0)
            stop("socketpair");
        pid_ = fork();
        if (pid_ < 0)
            stop("fork");
        if (pid_ == 0) {
            // Out of the way first: the sources may be 3, 4 or 5 themselves.
            int fds[3] = {fcntl(control[1], F_DUPFD, 20), fcntl(node, F_DUPFD, 20),
                          fcntl(console[1], F_DUPFD, 20)};
            for (int i = 0; i < 3; i++)
                dup2(fds[i], 3 + i);
            execl(program.c_str(), program.c_str(), nullptr);
            _exit(127);
        }
        close(control[1]);
        close(console[1]);
        close(node);
        control_ = control[0];
        console_ = console[0];
    }

    control::v1::Response call(control::v1::Request request, std::span<const int> fds) {
        request.set_id(++last_id_);
        auto began = Clock::now();
        send(request, fds);
        while (true) {
            control::v1::Response response = receive();
            if (response.id() == 0) {
                show(response.event());
                continue;
            }
            long ms =
                std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began).count();
            std::printf("[drive] %s: %s (%ld ms)\n",
                        request.ShortDebugString().substr(0, 60).c_str(),
                        response.status().code() ? response.status().message().c_str()
                                                 : response.ShortDebugString().c_str(),
                        ms);
            std::fflush(stdout);
            if (response.status().code() != 0) {
                errno = 0;
                stop("the request was refused");
            }
            return response;
        }
    }

    // Shows the console until `text` came.
    void wait(const std::string& text, int seconds) {
        auto until = Clock::now() + std::chrono::seconds(seconds);
        while (seen_.find(text) == std::string::npos) {
            auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now());
            pollfd fds[2] = {{console_, POLLIN, 0}, {control_, POLLIN, 0}};
            errno = 0;
            if (left.count() <= 0 || poll(fds, 2, static_cast<int>(left.count())) == 0)
                stop("\"" + text + "\" did not come within " + std::to_string(seconds) + " s");
            if (fds[1].revents) {
                control::v1::Response response = receive();
                if (response.id() == 0)
                    show(response.event());
            }
            if (fds[0].revents) {
                char chunk[4096];
                ssize_t got = read(console_, chunk, sizeof chunk);
                if (got <= 0)
                    stop("console closed");
                fwrite(chunk, 1, static_cast<std::size_t>(got), stdout);
                std::fflush(stdout);
                seen_.append(chunk, static_cast<std::size_t>(got));
            }
        }
        seen_.erase(0, seen_.find(text) + text.size());
    }

    void type(const std::string& text) {
        if (write(console_, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
            stop("console");
    }

    void end() {
        control::v1::Request request;
        request.mutable_shutdown();
        call(request, {});
        int status;
        waitpid(pid_, &status, 0);
        close(control_);
        close(console_);
        if (ioctl(control_device_, uapi::VMMCTL_DESTROY, &name_) != 0)
            stop("VMMCTL_DESTROY");
        close(control_device_);
        errno = 0;
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            stop("skep-vmm ended with status " + std::to_string(status));
    }

  private:
    void show(const control::v1::Event& event) {
        std::printf("[drive] event: %s\n", event.ShortDebugString().c_str());
        std::fflush(stdout);
    }

    void send(const control::v1::Request& request, std::span<const int> fds) {
        std::string frame(4, '\0');
        request.AppendToString(&frame);
        auto length = static_cast<std::uint32_t>(frame.size() - 4);
        std::memcpy(frame.data(), &length, 4);
        alignas(cmsghdr) char ancillary[CMSG_SPACE(16 * sizeof(int))] = {};
        iovec part = {frame.data(), frame.size()};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        if (!fds.empty()) {
            message.msg_control = ancillary;
            message.msg_controllen = CMSG_SPACE(fds.size_bytes());
            cmsghdr* header = CMSG_FIRSTHDR(&message);
            header->cmsg_level = SOL_SOCKET;
            header->cmsg_type = SCM_RIGHTS;
            header->cmsg_len = CMSG_LEN(fds.size_bytes());
            std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
        }
        if (sendmsg(control_, &message, 0) != static_cast<ssize_t>(frame.size()))
            stop("sendmsg");
    }

    void read_all(char* target, std::size_t size) {
        while (size != 0) {
            ssize_t got = read(control_, target, size);
            if (got == 0)
                errno = 0;
            if (got <= 0)
                stop("skep-vmm is gone");
            target += got;
            size -= static_cast<std::size_t>(got);
        }
    }

    control::v1::Response receive() {
        std::uint32_t length;
        read_all(reinterpret_cast<char*>(&length), sizeof length);
        std::string bytes(length, '\0');
        read_all(bytes.data(), length);
        control::v1::Response response;
        errno = 0;
        if (!response.ParseFromString(bytes))
            stop("skep-vmm sent no Response");
        return response;
    }

    uapi::VmmDestroy name_{};
    int control_device_ = -1, control_ = -1, console_ = -1;
    pid_t pid_ = -1;
    std::uint64_t last_id_ = 0;
    std::string seen_;
};

struct Disk {
    int fd;
    std::uint64_t size;
    std::string path;
};

class Script {
  public:
    Script(std::string program, std::span<char*> words)
        : program_(std::move(program)), words_(words) {}

    void run() {
        while (at_ < words_.size())
            step(next());
    }

  private:
    std::string next() {
        errno = 0;
        if (at_ >= words_.size())
            stop("a step lacks a word");
        return words_[at_++];
    }
    Guest& guest() {
        errno = 0;
        if (!guest_)
            stop("no guest");
        return *guest_;
    }

    void step(const std::string& verb) {
        control::v1::Request request;
        std::vector<int> fds;
        if (verb == "disk") {
            std::string path = next();
            std::uint64_t size = std::stoull(next()) << 20;
            int fd = open_or_stop(path, O_RDWR | O_CREAT);
            disks_.push_back({fd, size, path});
        } else if (verb == "boot") {
            auto* spec = request.mutable_configure()->mutable_spec();
            spec->mutable_boot()->set_kernel("kernel");
            fds.push_back(open_or_stop(next(), O_RDONLY));
            std::string initrd = next();
            if (!initrd.empty()) {
                spec->mutable_boot()->set_initrd("initrd");
                fds.push_back(open_or_stop(initrd, O_RDONLY));
            }
            spec->mutable_boot()->set_command_line(next());
            spec->set_memory_bytes(std::stoull(next()) << 20);
            spec->set_vcpus(static_cast<std::uint32_t>(std::stoul(next())));
            for (std::size_t i = 0; i < disks_.size(); i++) {
                auto* disk = spec->add_disks();
                disk->set_name("disk" + std::to_string(i));
                disk->set_size_bytes(disks_[i].size);
            }
            create(request, std::move(fds));
        } else if (verb == "restore") {
            request.mutable_restore();
            fds.push_back(open_or_stop(next(), O_RDONLY));
            create(request, std::move(fds));
        } else if (verb == "run") {
            request.mutable_run();
            guest().call(request, {});
        } else if (verb == "pause") {
            request.mutable_pause();
            guest().call(request, {});
        } else if (verb == "state") {
            request.mutable_get_state();
            guest().call(request, {});
        } else if (verb == "save") {
            request.mutable_save()->set_creator("skep-vmm-drive");
            fds.push_back(open_or_stop(next(), O_WRONLY | O_CREAT | O_TRUNC));
            guest().call(request, fds);
            close(fds[0]);
        } else if (verb == "wait") {
            std::string text = next();
            guest().wait(text, std::stoi(next()));
        } else if (verb == "type") {
            std::string text = next();
            for (std::size_t at; (at = text.find("\\n")) != std::string::npos;)
                text.replace(at, 2, "\n");
            guest().type(text);
        } else if (verb == "cpuid") {
            print_cpuid();
        } else if (verb == "end") {
            guest().end();
            delete guest_;
            guest_ = nullptr;
        } else {
            errno = 0;
            stop("unknown step \"" + verb + "\"");
        }
    }

    static void print_cpuid() {
        int fd = open_or_stop("/dev/vmmctl", O_RDWR);
        std::array<abi::CpuidEntry, 128> entries{};
        uapi::VmmCpuid argument{.count = 128,
                                .reserved = 0,
                                .entries = reinterpret_cast<std::uint64_t>(entries.data())};
        if (ioctl(fd, uapi::VMM_SUPPORTED_CPUID, &argument) != 0)
            stop("VMM_SUPPORTED_CPUID");
        for (std::uint32_t i = 0; i < argument.count; i++)
            std::printf("[drive] cpuid %08x.%x/%u: %08x %08x %08x %08x\n", entries[i].leaf,
                        entries[i].subleaf, entries[i].flags, entries[i].eax, entries[i].ebx,
                        entries[i].ecx, entries[i].edx);
        close(fd);
    }

    void create(const control::v1::Request& request, std::vector<int> fds) {
        for (const Disk& disk : disks_)
            fds.push_back(disk.fd);
        guest_ = new Guest(program_);
        guest_->call(request, fds);
        for (int fd : fds)
            close(fd);
        disks_.clear();
    }

    std::string program_;
    std::span<char*> words_;
    std::size_t at_ = 0;
    Guest* guest_ = nullptr;
    std::vector<Disk> disks_;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fprintf(stderr, "usage: skep-vmm-drive PROGRAM STEP...\n");
        return 2;
    }
    try {
        Script(argv[1], std::span(argv + 2, argv + argc)).run();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "skep-vmm-drive: %s\n", error.what());
        return 1;
    }
    return 0;
}
