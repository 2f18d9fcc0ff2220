// A running guest as skepd sees it: the kernel's guest object, the skep-vmm process that owns its
// devices, the control socket between us, its console.
//
// One thread per guest follows the control socket and the console and, when the process has ended,
// gives the guest's memory back and tells the owner. Requests are made from other threads, one at a
// time.
#pragma once

#include "mgmt/common/error.hpp"
#include "mgmt/common/unique_fd.hpp"
#include "mgmt/skepd/guest/console_buffer.hpp"
#include "mgmt/skepd/guest/frame.hpp"
#include "mgmt/skepd/guest/vmm_device.hpp"

#include "skep/control/v1/control.pb.h"

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>

namespace skep::mgmt {

// How a guest came to its end.
struct GuestEnd {
    bool crashed = false;  // not by our wish and not by the guest's own
    std::string detail;    // a sentence for people
};

class Guest {
  public:
    // False: the work is to be broken off; it then fails with CANCELLED, if it is not done before.
    using Progress = std::function<bool(std::uint64_t done, std::uint64_t total)>;
    // Called once, on the guest's thread, after its memory has been given back. Must not drop the
    // last reference to the guest: its destructor joins that thread.
    using OnEnd = std::function<void(const GuestEnd&)>;

    // Makes the guest in the kernel and starts its device process; no machine is built yet.
    static Result<std::shared_ptr<Guest>> start(const VmmPaths& paths, const std::string& name,
                                                OnEnd on_end);
    // Kills what still runs.
    ~Guest();

    // Builds a machine: from a spec (descriptors: kernel, initrd, disks) or from a snapshot (the
    // snapshot, then one empty file per disk). An error is skep-vmm's own.
    Result<void> configure(const skep::vm::v1::MachineSpec& spec, std::span<const int> fds);
    Result<void> restore(std::span<const int> fds, const Progress& progress);
    Result<void> run();
    Result<void> pause();
    // The guest stays paused.
    Result<skep::control::v1::SaveResult> save(int fd, const std::string& creator,
                                               const Progress& progress);
    // Ends the guest: asks its process to, and kills it after `patience`. Returns when all of it is
    // gone.
    void end(std::chrono::seconds patience);

    // Types into the serial console. False: the guest has ended.
    bool type(std::string_view bytes);
    const std::shared_ptr<ConsoleBuffer>& console() const { return console_; }

  private:
    explicit Guest(VmmDevice device, OnEnd on_end);

    using Request = skep::control::v1::Request;
    using Response = skep::control::v1::Response;
    Result<Response> call(Request request, std::span<const int> fds, const Progress& progress);
    Result<void> send(const Request& request, std::span<const int> fds);

    // The guest's thread.
    void follow();
    bool read_control();  // false: the other end is closed or talks nonsense
    bool read_console();  // false: nothing will follow
    void take(Response response);
    void take_progress(const skep::control::v1::Progress& progress);
    void take_state(const skep::control::v1::State& state);
    void finish();

    VmmDevice device_;
    OnEnd on_end_;
    UniqueFd control_, console_fd_;
    UniqueFd wake_read_, wake_write_;  // closing the write end tells the thread to kill the process
    std::shared_ptr<ConsoleBuffer> console_ = std::make_shared<ConsoleBuffer>();
    pid_t pid_ = -1;
    std::thread thread_;
    FrameReader frames_;

    std::mutex calls_;  // held during a request: one at a time
    std::mutex sends_;  // held during a send: frames do not mix
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    // Under mutex_:
    std::uint64_t next_id_ = 1, awaited_id_ = 0;
    std::optional<Response> answer_;
    const Progress* progress_ = nullptr;
    bool cancel_sent_ = false;  // for the awaited request
    bool ended_ = false;
    bool end_wanted_ = false;      // by us
    std::optional<GuestEnd> end_;  // how, if the guest or its process told before it ended
};

}  // namespace skep::mgmt
