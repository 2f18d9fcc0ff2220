// A terminal: a line discipline between a driver (the 16550, the master side of a pty) and the
// programs that have it open, with the job control of its session.
//
// Locks: lock_ (sleeps) for the line discipline, taken first; state_lock_ (spins) for who waits and
// whose the terminal is. input() comes from a thread of the driver's, never from an interrupt.
#pragma once

#include <kernel/base/make.hpp>
#include <kernel/dev/tty/job_control.hpp>
#include <kernel/dev/tty/line_discipline.hpp>
#include <kernel/vfs/file.hpp>

#include <optional>

namespace skep::kernel {

class TtyDriver {
  public:
    // Sends bytes to the device; may wait. Not every byte need be taken. -> how many were.
    virtual std::size_t write(std::span<const std::uint8_t>) = 0;
    // How many bytes write() would take now without waiting; programs wait for more.
    // output_drained() says when.
    virtual std::size_t room() { return ~std::size_t{0}; }
    // A program has read: there may be room for more input. Called without the terminal's locks.
    virtual void input_taken() {}

  protected:
    ~TtyDriver() = default;
};

enum class ApplyWhen : std::uint8_t {
    Now,
    AfterOutput,
    AfterOutputFlushingInput
};

class Tty : public RefCounted, public ListNode<> {
  public:
    explicit Tty(TtyDriver& driver, const WindowSize& window = {});
    ~Tty() override;

    virtual Result<Ref<File>> open(std::uint32_t flags);
    // An open file of this terminal came, or lost its last descriptor.
    virtual void opened() {}
    virtual void closed() {}

    // From the driver.
    void input(std::span<const std::uint8_t> bytes);
    void hang_up();            // reads end, writes fail, the session is told and loses its terminal
    void output_drained();     // there is room again
    std::size_t input_room();  // how many bytes input() would keep

    Result<std::size_t> read(Uio&, bool nonblocking);
    Result<std::size_t> write(Uio&, bool nonblocking);
    Events ready(Events interest);
    std::size_t input_available();
    EventSource& events() { return events_; }

    Termios settings();
    Result<> set_settings(const Termios&, ApplyWhen);
    void flush(bool input, bool output);
    WindowSize window_size();
    void set_window_size(const WindowSize&);

    // Job control. NoTty: it is not the caller's controlling terminal.
    void opened_by_session_leader();  // becomes the controlling terminal if the session has none
    Result<> make_controlling(bool steal);  // TIOCSCTTY: Perm
    Result<> give_up_controlling();         // TIOCNOTTY
    Result<std::int32_t> foreground_group(bool from_master = false);
    Result<> set_foreground_group(std::int32_t group);
    Result<std::int32_t> session();
    // The session's leader has ended.
    static void session_ended(std::int32_t session);
    // The calling process's controlling terminal, or null.
    static Ref<Tty> controlling();
    // What the world may know of a session's terminal.
    struct Controlling {
        std::uint64_t device;  // its number; 0: it has none
        std::int32_t foreground;
    };
    static std::optional<Controlling> controlling_of(std::int32_t session);
    // Before anyone opens it.
    void set_device_number(std::uint64_t number) { device_number_ = number; }

  private:
    Result<> check_background(JobSignal);
    bool is_controlling_of(const Job&);
    Result<std::size_t> take(std::span<std::uint8_t> to, bool nonblocking, bool* taken);
    void wake_readers();

    TtyDriver& driver_;
    Mutex lock_{"Tty"};
    LineDiscipline discipline_;
    WindowSize window_;

    SpinLock state_lock_{"Tty state"};
    WaitQueue readers_, writers_;
    std::uint64_t input_count_ = 0;  // of inputs: a reader sees that something came
    std::uint64_t drain_count_ = 0;  // the same for writers
    bool hung_up_ = false;
    std::int32_t session_ = 0, foreground_ = 0;
    std::uint64_t device_number_ = 0;
    EventSource events_;
};

}  // namespace skep::kernel
