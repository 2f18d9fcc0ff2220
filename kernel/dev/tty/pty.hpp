// Pseudo terminals: opening /dev/ptmx makes a master and, as /dev/pts/N, the terminal that programs
// see. What is written to the master is the terminal's input; what programs print, and the echo, is
// read from it.
//
// Not here: packet mode (TIOCPKT).
#pragma once

#include <kernel/dev/tty/tty.hpp>

#include <array>

namespace skep::kernel {

// Requests of the master that both personalities know; they translate theirs to these (Linux's
// numbers).
inline constexpr std::uint64_t kIoctlPtyNumber = 0x80045430;   // TIOCGPTN: unsigned out
inline constexpr std::uint64_t kIoctlPtySetLock = 0x40045431;  // TIOCSPTLCK: int in
inline constexpr std::uint64_t kIoctlPtyGetLock = 0x80045439;  // TIOCGPTLCK: int out

// The terminal's side. It lives while it is open or its master is.
class PtyTerminal final : public Tty, private TtyDriver {
  public:
    PtyTerminal(std::uint32_t number, bool locked);
    std::uint32_t number() const { return number_; }
    Result<Ref<File>> open(std::uint32_t flags) override;  // Io while it is locked
    void opened() override;
    void closed() override;

  private:
    friend class PtyMaster;
    static constexpr std::size_t kCapacity = 16384;
    std::size_t write(std::span<const std::uint8_t>) override;
    std::size_t room() override;
    void input_taken() override;
    void wake_master(Events);

    const std::uint32_t number_;
    std::atomic<bool> locked_;
    SpinLock ring_lock_{"Pty"};
    WaitQueue master_;           // reads and writes of the master wait here
    std::uint64_t changes_ = 0;  // so that no wake-up is lost
    std::size_t start_ = 0, used_ = 0;
    std::uint32_t open_files_ = 0;
    bool was_open_ = false;  // since the last close: a master without a terminal reads Io
    EventSource master_events_;
    std::array<std::uint8_t, kCapacity> ring_;
};

// /dev/ptmx.
Result<> register_ptys();
// A new pair: its master, open. `flags` as in File; `locked`: the terminal opens only after
// TIOCSPTLCK.
Result<Ref<File>> open_pty_master(std::uint32_t flags, bool locked);

}  // namespace skep::kernel
