#include <kernel/dev/tty/pty.hpp>

#include <kernel/base/format.hpp>
#include <kernel/dev/tty/tty_file.hpp>
#include <kernel/vfs/caller.hpp>
#include <kernel/vfs/current.hpp>
#include <kernel/vfs/device.hpp>

#include <algorithm>

namespace skep::kernel {

namespace {

// As Linux numbers them (admin-guide/devices.txt).
constexpr std::uint32_t kMasterMajor = 5, kMasterMinor = 2, kTerminalMajor = 136;
constexpr std::uint32_t kTtyGroup = 5;

// Numbers in use, smallest first.
class Numbers {
  public:
    static constexpr std::uint32_t kCount = 1024;
    Result<std::uint32_t> take() {
        SpinGuard guard(lock_);
        for (std::uint32_t word = 0; word < used_.size(); word++)
            if (~used_[word]) {
                const auto bit = static_cast<std::uint32_t>(__builtin_ctzll(~used_[word]));
                used_[word] |= 1ull << bit;
                return word * 64 + bit;
            }
        return fail(Errno::NoSpc);
    }
    void give_back(std::uint32_t number) {
        SpinGuard guard(lock_);
        used_[number / 64] &= ~(1ull << number % 64);
    }

  private:
    SpinLock lock_{"pty numbers"};
    std::array<std::uint64_t, kCount / 64> used_{};
};
constinit Numbers numbers;

std::string_view node_name(std::uint32_t number, std::span<char> buffer) {
    return format_to(buffer, "pts/{}", number);
}

}  // namespace

PtyTerminal::PtyTerminal(std::uint32_t number, bool locked)
    : Tty(static_cast<TtyDriver&>(*this), WindowSize{0, 0, 0, 0}),
      number_(number),
      locked_(locked) {}

Result<Ref<File>> PtyTerminal::open(std::uint32_t flags) {
    if (locked_.load(std::memory_order_relaxed))
        return fail(Errno::Io);
    return Tty::open(flags);
}

void PtyTerminal::opened() {
    SpinGuard guard(ring_lock_);
    open_files_++;
    was_open_ = true;
}

void PtyTerminal::closed() {
    bool last;
    {
        SpinGuard guard(ring_lock_);
        last = --open_files_ == 0;
    }
    if (last)
        wake_master(kHangup | kReadable);
}

void PtyTerminal::wake_master(Events events) {
    {
        SpinGuard guard(ring_lock_);
        changes_++;
    }
    master_.wake_all();
    master_events_.notify(events);
}

std::size_t PtyTerminal::write(std::span<const std::uint8_t> bytes) {
    std::size_t taken;
    {
        SpinGuard guard(ring_lock_);
        taken = std::min(bytes.size(), kCapacity - used_);
        for (std::size_t i = 0; i < taken; i++)
            ring_[(start_ + used_ + i) % kCapacity] = bytes[i];
        used_ += taken;
    }
    if (taken)
        wake_master(kReadable);
    return taken;
}

std::size_t PtyTerminal::room() {
    SpinGuard guard(ring_lock_);
    return kCapacity - used_;
}

void PtyTerminal::input_taken() {
    wake_master(kWritable);
}

class PtyMaster final : public File {
  public:
    PtyMaster(Ref<PtyTerminal> terminal, std::uint32_t flags)
        : File(FileKind::Tty, flags), terminal_(std::move(terminal)) {}
    ~PtyMaster() override { on_last_close(); }

    Result<std::size_t> read(Uio&, std::uint64_t*) override;
    Result<std::size_t> write(Uio&, std::uint64_t*) override;
    Result<std::uint64_t> ioctl(std::uint64_t request, UserAddr argument) override;
    Events ready(Events interest) override;
    EventSource& events() override { return terminal_->master_events_; }
    std::uint64_t amount(Events which) override {
        SpinGuard guard(terminal_->ring_lock_);
        return which & kReadable ? terminal_->used_ : PtyTerminal::kCapacity;
    }
    Tty* tty() override { return terminal_.get(); }
    bool tty_master() const override { return true; }
    const char* description() const override { return "/dev/ptmx"; }
    void on_last_close() override;

  private:
    const Ref<PtyTerminal> terminal_;
    std::atomic<bool> closed_{false};
};

void PtyMaster::on_last_close() {
    if (closed_.exchange(true))
        return;
    std::array<char, 24> name;
    (void)unregister_device(node_name(terminal_->number(), name));
    terminal_->hang_up();
    numbers.give_back(terminal_->number());
}

Result<std::size_t> PtyMaster::read(Uio& uio, std::uint64_t*) {
    PtyTerminal& pty = *terminal_;
    if (!uio.remaining())
        return 0;
    std::array<std::uint8_t, 512> chunk;
    std::size_t size = 0;
    {
        SpinGuard guard(pty.ring_lock_);
        while (!pty.used_) {
            if (pty.was_open_ && !pty.open_files_)
                return fail(Errno::Io);
            if (nonblocking())
                return fail(Errno::Again);
            const std::uint64_t seen = pty.changes_;
            while (pty.changes_ == seen)
                SKEP_TRY(pty.master_.wait(guard));
        }
        size = std::min({chunk.size(), uio.remaining(), pty.used_});
        for (std::size_t i = 0; i < size; i++)
            chunk[i] = pty.ring_[(pty.start_ + i) % PtyTerminal::kCapacity];
        pty.start_ = (pty.start_ + size) % PtyTerminal::kCapacity;
        pty.used_ -= size;
    }
    pty.output_drained();
    return uio.put(chunk.data(), size);
}

Result<std::size_t> PtyMaster::write(Uio& uio, std::uint64_t*) {
    PtyTerminal& pty = *terminal_;
    std::array<std::uint8_t, 256> chunk;
    std::size_t done = 0;
    while (uio.remaining()) {
        std::uint64_t seen;
        {
            SpinGuard guard(pty.ring_lock_);
            seen = pty.changes_;
        }
        const std::size_t room = std::min(pty.input_room(), chunk.size());
        if (!room) {
            if (done)
                return done;
            if (nonblocking())
                return fail(Errno::Again);
            SpinGuard guard(pty.ring_lock_);
            while (pty.changes_ == seen)
                SKEP_TRY(pty.master_.wait(guard));
            continue;
        }
        auto taken = uio.take(chunk.data(), std::min(room, uio.remaining()));
        if (!taken)
            return done ? Result<std::size_t>(done) : taken;
        if (!*taken)
            break;
        pty.input({chunk.data(), *taken});
        done += *taken;
    }
    return done;
}

Result<std::uint64_t> PtyMaster::ioctl(std::uint64_t request, UserAddr argument) {
    switch (request) {
        case kIoctlPtyNumber:
            SKEP_TRY(copy_out(argument, terminal_->number()));
            return 0;
        case kIoctlPtySetLock:
            terminal_->locked_ = SKEP_TRY(copy_in<std::int32_t>(argument)) != 0;
            return 0;
        case kIoctlPtyGetLock:
            SKEP_TRY(copy_out(argument, std::int32_t{terminal_->locked_}));
            return 0;
        case kIoctlBytesReadable:
            SKEP_TRY(copy_out(argument, static_cast<std::int32_t>(amount(kReadable))));
            return 0;
        case kIoctlBytesWritable:
            SKEP_TRY(copy_out(argument, std::int32_t{0}));
            return 0;
        default:
            return fail(Errno::NoTty);
    }
}

Events PtyMaster::ready(Events interest) {
    Events events = 0;
    if (terminal_->input_room())
        events |= kWritable;
    SpinGuard guard(terminal_->ring_lock_);
    if (terminal_->used_)
        events |= kReadable;
    if (terminal_->was_open_ && !terminal_->open_files_)
        events |= kHangup;
    return events & (interest | kHangup);
}

namespace {

class TerminalDevice final : public Device {
  public:
    explicit TerminalDevice(Ref<PtyTerminal> terminal) : terminal_(std::move(terminal)) {}
    Result<Ref<File>> open(std::uint32_t flags) override { return terminal_->open(flags); }

  private:
    Ref<PtyTerminal> terminal_;
};

class MasterDevice final : public Device {
  public:
    Result<Ref<File>> open(std::uint32_t flags) override { return open_pty_master(flags, true); }
};

}  // namespace

Result<Ref<File>> open_pty_master(std::uint32_t flags, bool locked) {
    const std::uint32_t number = SKEP_TRY(numbers.take());
    Ref<PtyMaster> master;
    auto make = [&]() -> Result<> {
        Ref<PtyTerminal> terminal = SKEP_TRY(make_ref<PtyTerminal>(number, locked));
        terminal->set_device_number(device_number(kTerminalMajor, number));
        master = SKEP_TRY(make_ref<PtyMaster>(terminal, flags));
        Ref<TerminalDevice> device = SKEP_TRY(make_ref<TerminalDevice>(terminal));
        std::array<char, 24> name;
        return register_device({.name = node_name(number, name),
                                .permissions = 0620,
                                .user = current_caller().user,
                                .group = kTtyGroup,
                                .number = device_number(kTerminalMajor, number)},
                               device);
    };
    if (auto made = make(); !made) {
        if (!master)
            numbers.give_back(number);  // else the master's end does it
        return fail(made.error());
    }
    return Ref<File>(std::move(master));
}

Result<> register_ptys() {
    Ref<MasterDevice> device = SKEP_TRY(make_ref<MasterDevice>());
    return register_device(
        {.name = "ptmx", .permissions = 0666, .number = device_number(kMasterMajor, kMasterMinor)},
        device);
}

}  // namespace skep::kernel
