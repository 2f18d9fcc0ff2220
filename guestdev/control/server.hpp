// The main thread: requests of skepd, the guest's console, its timers.
#pragma once

#include <guestdev/control/wire.hpp>
#include <guestdev/machine/machine.hpp>
#include <guestdev/vmm/vmm.hpp>

#include <chrono>
#include <deque>
#include <functional>
#include <vector>

namespace skep::guestdev {

class Server {
  public:
    // Owns none of the descriptors. `vmm` must outlive the server.
    Server(int control, int console, Vmm& vmm);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    // Serves until Shutdown or the other end of the control socket is gone.
    Status serve();

  private:
    void answer(Incoming incoming);
    Status dispatch(Incoming& incoming, control::v1::Response& response);
    Status configure(const vm::v1::MachineSpec& spec, std::vector<Descriptor> descriptors);
    Status restore(std::vector<Descriptor> descriptors);
    Status save(const control::v1::Save& request, const std::vector<Descriptor>& descriptors,
                control::v1::SaveResult& result);
    snapshot::ProgressCallback progress();
    // Reads what skepd has sent into waiting_.
    void take_requests();
    // Whether the Save or Restore under way is to be broken off.
    bool interrupted();
    void send_state_event();
    control::v1::State state_message() const;

    void read_console();
    // With the board's lock.
    void flush_console(Board& board);
    // Writes out what waits, unless the guest is in the middle of a line just begun. How long to
    // wait then, in milliseconds; -1: nothing waits.
    int serve_console();
    int poll_timeout(GuestTime next_event) const;

    Wire wire_;
    int control_, console_;
    int wake_;  // eventfd
    std::vector<Descriptor> disks_;
    std::deque<Incoming> waiting_;  // to be answered in order
    bool peer_gone_ = false;
    bool broken_off_ = false;  // the request that is being answered
    Status stream_;            // an error: nothing more can be understood
    Phase last_phase_ = Phase::Empty;
    bool console_open_ = true, console_blocked_ = false;  // board's lock
    std::optional<std::chrono::steady_clock::time_point> line_begun_;
    bool shutdown_ = false;
    std::chrono::steady_clock::time_point last_progress_{};
    Machine machine_;
};

}  // namespace skep::guestdev
