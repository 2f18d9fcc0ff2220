// The peer of tests/bench/guest.sh: the same guest under QEMU with KVM. Each `mark` line is an
// instant that the rig reads the ticks at. Usage: bench-guest-qemu COMMAND_LINE

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "tests/bench/qemu.hpp"

namespace {

constexpr const char* disk_path = "/tmp/disk";
constexpr off_t disk_bytes = 16 << 20;
constexpr const char* snapshot_path = "/tmp/snapshot";
constexpr useconds_t poll_us = 2000;
constexpr const char* completed = "\"status\": \"completed\"";

void mark(const char* name) {
    std::printf("mark %s\n", name);
    std::fflush(stdout);
}

std::vector<std::string> machine(const char* command_line) {
    return {"-M",
            "pc",
            "-enable-kvm",
            "-cpu",
            "host",
            "-m",
            "256",
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
            "-no-reboot",
            "-kernel",
            "/guest/vmlinuz",
            "-initrd",
            "/guest/initrd",
            "-append",
            command_line,
            "-drive",
            std::string("file=") + disk_path + ",if=none,id=disk0,format=raw",
            "-device",
            "virtio-blk-pci,drive=disk0,romfile="};
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: bench-guest-qemu COMMAND_LINE\n");
        return 2;
    }
    const int disk = ::open(disk_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const int snapshot = ::open(snapshot_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (disk < 0 || snapshot < 0 || ::ftruncate(disk, disk_bytes) != 0) {
        std::perror("bench-guest-qemu: /tmp");
        return 1;
    }
    mark("start");
    skep::bench::Qemu first(machine(argv[1]));
    first.wait_for("count 1 ");
    mark("counting");
    first.wait_for("count 10 ");
    first.open_monitor();
    first.command(
        R"({"execute":"migrate-set-parameters","arguments":{"max-bandwidth":1000000000000}})",
        "\"return\"");
    mark("save");
    first.command(R"({"execute":"stop"})", "\"return\"");
    first.command(R"({"execute":"getfd","arguments":{"fdname":"snapshot"}})", "\"return\"",
                  snapshot);
    first.command(R"({"execute":"migrate","arguments":{"uri":"fd:snapshot"}})", completed);
    first.quit();
    mark("saved");

    const int saved = ::open(snapshot_path, O_RDONLY);
    std::vector<std::string> arguments = machine(argv[1]);
    arguments.insert(arguments.end(), {"-incoming", "fd:" + std::to_string(saved)});
    mark("restore");
    skep::bench::Qemu second(arguments);
    second.open_monitor();
    do {
        ::usleep(poll_us);
        second.command(R"({"execute":"query-status"})", "\"status\": \"");
    } while (second.answer().find("inmigrate") != std::string::npos);
    second.command(R"({"execute":"cont"})", "\"return\"");
    mark("restored");
    second.wait_for("ram ok");
    mark("goes-on");
    second.quit();
    return 0;
}
