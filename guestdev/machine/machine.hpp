// A guest: its /dev/vmm, memory, board and vCPUs; and its life from configured to shut down.
//
// All public functions belong to the main thread, but stop().
#pragma once

#include <guestdev/machine/board.hpp>
#include <guestdev/machine/exits.hpp>
#include <guestdev/machine/guest_clock.hpp>
#include <guestdev/machine/vcpu_state.hpp>
#include <guestdev/machine/vcpu_thread.hpp>
#include <guestdev/vmm/vmm.hpp>

#include <skep/vm/v1/spec.pb.h>
#include <snapshot/writer.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace skep::guestdev {

enum class Phase {
    Empty,
    Paused,
    Running,
    PoweredOff,
    Crashed
};

// Descriptors that came with a request; closed with it.
using Fds = std::vector<int>;

struct SaveOutcome {
    std::uint64_t bytes_written, ram_bytes, zero_bytes;
};

class Machine {
  public:
    // `attention` is called from any thread, with the board's lock or without, when the main thread
    // should look: state() changed, console output begins, or next_event() is earlier. It must not
    // block. `line_written` is called with the board's lock when the guest ended a line on its
    // console.
    Machine(Vmm& vmm, std::function<void()> attention, std::function<void()> line_written);
    ~Machine();
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;

    // Takes the disks over; the kernel and initrd are only read.
    Status configure(const vm::v1::MachineSpec& spec, int kernel, int initrd,
                     std::span<const int> disks);
    Status restore(int snapshot, std::span<const int> disks,
                   const snapshot::ProgressCallback& progress);
    Status run();
    Status pause();
    Result<SaveOutcome> save(int target, const std::string& creator,
                             const snapshot::ProgressCallback& progress);

    struct State {
        Phase phase;
        std::string detail;
    };
    State state() const;

    // What the main thread serves between requests. Null before configure().
    Board* board() { return board_.get(); }
    const TimeSource& time() const { return clock_; }
    // Runs the timers that are due; when to be called next, in guest time.
    GuestTime serve_timers();

  private:
    using Disks = std::vector<std::unique_ptr<BlockBackend>>;

    Status check_spec(const vm::v1::MachineSpec& spec, std::size_t disk_count) const;
    Status build_board(const vm::v1::MachineSpec& spec, std::span<const int> disks,
                       std::int64_t wall_clock_ns, std::uint64_t tsc_frequency);
    Status create_memory();
    Status create_vcpus();
    Status go_on();
    void park_all();
    void stop_guest(Phase phase, std::string detail);  // from any thread
    void set_phase(Phase phase, std::string detail);
    Status expect_phase(Phase wanted, const char* request) const;

    snapshot::v1::Manifest manifest(const std::string& creator) const;
    Status save_state(snapshot::Writer& writer);

    Vmm& vmm_;
    std::function<void()> attention_, line_written_;
    HostCapabilities host_{};
    vm::v1::MachineSpec spec_;
    std::vector<abi::CpuidEntry> cpuid_;
    std::uint64_t tsc_frequency_ = 0;
    GuestMemory memory_;
    GuestClock clock_;
    std::unique_ptr<Board> board_;
    std::unique_ptr<ExitHandler> exits_;
    std::vector<VcpuClock> frozen_;   // of each vCPU, while paused
    bool spent_ = false;              // a configure or restore failed half-way
    GuestTime armed_event_ = kNever;  // what the main thread sleeps for; board's lock

    mutable std::mutex state_mutex_;
    Phase phase_ = Phase::Empty;  // under state_mutex_
    std::string detail_;          // likewise

    std::vector<std::unique_ptr<VcpuThread>> vcpus_;  // last: their threads use all of the above
};

}  // namespace skep::guestdev
