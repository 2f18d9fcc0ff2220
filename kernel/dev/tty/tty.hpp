// A terminal: a line discipline between a driver (the 16550, the master side of a pty) and the programs that have
// it open, with the job control of its session.
//
// Locks: lock_ (sleeps) for the line discipline, taken first; state_lock_ (spins) for who waits and whose the
// terminal is. input() comes from a thread of the driver's, never from an interrupt.
#pragma once

#include <kernel/base/make.hpp>
#include <kernel/dev/tty/job_control.hpp>
#include <kernel/dev/tty/line_discipline.hpp>
#include <kernel/vfs/file.hpp>

namespace skep::kernel {

class TtyDriver {
  public:
    // Sends bytes to the device; may wait. Not every byte need be taken. -> how many were.
    virtual std::size_t write(std::span<const std::uint8_t>) = 0;

  protected:
    ~TtyDriver() = default;
};

enum class ApplyWhen : std::uint8_t { Now, AfterOutput, AfterOutputFlushingInput };

class Tty : public RefCounted, public ListNode<> {
  public:
    explicit Tty(TtyDriver& driver);
    ~Tty() override;

    Result<Ref<File>> open(std::uint32_t flags);

    // From the driver.
    void input(std::span<const std::uint8_t> bytes);
    void hang_up();  // reads end, writes fail, the session is told

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
    void opened_by_session_leader();     // becomes the controlling terminal if the session has none
    Result<> make_controlling(bool steal);  // TIOCSCTTY: Perm
    Result<> give_up_controlling();      // TIOCNOTTY
    Result<std::int32_t> foreground_group();
    Result<> set_foreground_group(std::int32_t group);
    Result<std::int32_t> session();
    // The session's leader has ended.
    static void session_ended(std::int32_t session);
    // The calling process's controlling terminal, or null.
    static Ref<Tty> controlling();

  private:
    Result<> check_background(JobSignal);
    bool is_controlling_of(const Job&);
    Result<std::size_t> take(std::span<std::uint8_t> to, bool nonblocking);
    void wake_readers();

    TtyDriver& driver_;
    Mutex lock_{"Tty"};
    LineDiscipline discipline_;
    WindowSize window_;

    SpinLock state_lock_{"Tty state"};
    WaitQueue readers_, writers_;
    std::uint64_t input_count_ = 0;  // of inputs: a reader sees that something came
    bool hung_up_ = false;
    std::int32_t session_ = 0, foreground_ = 0;
    EventSource events_;
};

}  // namespace skep::kernel
