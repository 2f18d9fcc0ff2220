// skep-guest: counts, holds memory, writes a disk, and says at each count whether all is as it left
// it.

#include <sys/reboot.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>

#include "tests/guest/console.hpp"
#include "tests/guest/disk.hpp"
#include "tests/guest/ram.hpp"
#include "tests/guest/random.hpp"

namespace skep::guest {
namespace {

constexpr int pause_ms = 150;
constexpr int earlier_blocks = 4;
constexpr const char* disk_path = "/dev/vda";

std::string check_ram(const Ram& ram) {
    const auto bad = ram.first_bad();
    return bad ? "BAD (MiB " + std::to_string(*bad) + ")" : "ok";
}

std::string check_disk(Disk& disk, uint64_t count) {
    if (auto written = disk.write(count); !written) {
        return "BAD (" + written.error() + ")";
    }
    // The previous block, and some of those that are still there.
    const uint64_t oldest = count > disk.blocks() ? count - disk.blocks() + 1 : 1;
    Random random(count);
    for (int turn = 0; turn < earlier_blocks; turn++) {
        const uint64_t number =
            turn == 0 ? std::max(count - 1, oldest) : oldest + random.next() % (count - oldest + 1);
        if (auto read = disk.verify(number); !read) {
            return "BAD (" + read.error() + ")";
        }
    }
    return "ok";
}

// Whether counting goes on after this line.
bool obey(const std::string& line, bool counting) {
    if (line.starts_with("echo ")) {
        std::printf("skep-guest: %s\n", line.c_str() + 5);
    } else if (line == "pause" || line == "go") {
        std::printf("skep-guest: %s\n", line.c_str());
        return line == "go";
    } else if (line == "crash") {
        std::printf("skep-guest: crashing\n");
        // The kernel's own triple fault: reboot=t on its command line, then SysRq b.
        std::ofstream("/proc/sysrq-trigger") << 'b' << std::flush;
    } else if (line == "poweroff") {
        std::printf("skep-guest: powering off\n");
        ::sync();
        ::reboot(RB_POWER_OFF);
    } else {
        std::printf("skep-guest: no command '%s': echo TEXT, pause, go, crash, poweroff\n",
                    line.c_str());
    }
    return counting;
}

int run() {
    Ram ram;
    auto disk = Disk::open(disk_path);
    std::printf("skep-guest: up, %zu MiB of memory held, disk %s\n", Ram::chunks,
                disk ? (std::to_string(disk->blocks()) + " blocks").c_str() : disk.error().c_str());
    Console console;
    bool counting = true;
    for (uint64_t count = 1;;) {
        if (counting) {
            ram.rewrite(count);
            const std::string ram_state = check_ram(ram);
            const std::string disk_state = disk ? check_disk(*disk, count) : "none";
            std::printf("skep-guest: count %llu ram %s disk %s\n",
                        static_cast<unsigned long long>(count), ram_state.c_str(),
                        disk_state.c_str());
            count++;
        }
        if (const auto line = console.line(pause_ms)) {
            counting = obey(*line, counting);
        }
    }
}

}  // namespace
}  // namespace skep::guest

int main() {
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    return skep::guest::run();
}
