#include <kernel/dev/tty/tty.hpp>

#include <kernel/dev/tty/tty_file.hpp>
#include <kernel/sched/clock.hpp>

#include <algorithm>
#include <array>

namespace skep::kernel {

namespace {

// What one byte can become: a tab eight spaces.
constexpr std::size_t kOutputGrowth = 8;
constexpr Nanoseconds kTenthOfSecond = 100'000'000;

// Every terminal, to find a session's.
struct AllTtys {
    SpinLock lock{"ttys"};
    List<Tty> list;
};
AllTtys& all() {
    static AllTtys ttys;
    return ttys;
}

// Collects what the discipline puts out and hands it to the driver in larger pieces.
class Collected final : public OutputSink {
  public:
    explicit Collected(TtyDriver& driver) : driver_(driver) {}
    ~Collected() { send(); }
    void put(std::span<const std::uint8_t> bytes) override {
        for (std::uint8_t byte : bytes) {
            if (used_ == buffer_.size())
                send();
            buffer_[used_++] = byte;
        }
    }

  private:
    void send() {
        for (std::size_t at = 0; at < used_;) {
            const std::size_t taken = driver_.write({buffer_.data() + at, used_ - at});
            if (!taken)
                break;  // nobody takes it: it is lost, as on a line without a listener
            at += taken;
        }
        used_ = 0;
    }
    TtyDriver& driver_;
    std::array<std::uint8_t, 256> buffer_;
    std::size_t used_ = 0;
};

}  // namespace

Tty::Tty(TtyDriver& driver, const WindowSize& window) : driver_(driver), window_(window) {
    SpinGuard guard(all().lock);
    all().list.push_back(*this);
}

Tty::~Tty() {
    SpinGuard guard(all().lock);
    List<Tty>::remove(*this);
}

Result<Ref<File>> Tty::open(std::uint32_t flags) {
    SpinGuard guard(state_lock_);
    if (hung_up_)
        return fail(Errno::Io);
    guard.unlock();
    return make_ref<TtyFile>(Ref<Tty>(this), flags);
}

void Tty::wake_readers() {
    {
        SpinGuard guard(state_lock_);
        input_count_++;
    }
    readers_.wake_all();
    events_.notify(kReadable);
}

void Tty::input(std::span<const std::uint8_t> bytes) {
    bool readable = false, restarted = false;
    for (std::uint8_t byte : bytes) {
        TtySignal signal;
        {
            MutexGuard guard(lock_);
            Collected echo(driver_);
            const bool stopped = discipline_.output_stopped();
            signal = discipline_.input(byte, echo);
            readable |= discipline_.can_read();
            restarted |= stopped && !discipline_.output_stopped();
        }
        if (signal == TtySignal::None)
            continue;
        std::int32_t group;
        {
            SpinGuard guard(state_lock_);
            group = foreground_;
        }
        if (group)
            signal_group(group, signal == TtySignal::Interrupt ? JobSignal::Interrupt
                                : signal == TtySignal::Quit    ? JobSignal::Quit
                                                               : JobSignal::Suspend);
    }
    if (readable)
        wake_readers();
    if (restarted)
        output_drained();
}

void Tty::output_drained() {
    {
        SpinGuard guard(state_lock_);
        drain_count_++;
    }
    writers_.wake_all();
    events_.notify(kWritable);
}

std::size_t Tty::input_room() {
    MutexGuard guard(lock_);
    return discipline_.room();
}

void Tty::hang_up() {
    std::int32_t group, session;
    {
        SpinGuard guard(state_lock_);
        hung_up_ = true;
        group = std::exchange(foreground_, 0);
        session = std::exchange(session_, 0);
    }
    // The leader's group has the session's number.
    for (std::int32_t told : {session, group == session ? 0 : group})
        if (told) {
            signal_group(told, JobSignal::Hangup);
            signal_group(told, JobSignal::Continue);
        }
    wake_readers();
    output_drained();
    events_.notify(kReadable | kWritable | kHangup);
}

bool Tty::is_controlling_of(const Job& job) {
    SpinGuard guard(state_lock_);
    return session_ && session_ == job.session;
}

// A process of a background group must not disturb: it is stopped instead, if that can help.
Result<> Tty::check_background(JobSignal signal) {
    for (;;) {
        const Job job = current_job();
        {
            SpinGuard guard(state_lock_);
            if (!session_ || session_ != job.session || !foreground_ || foreground_ == job.group)
                return {};
        }
        if (current_ignores(signal))
            return signal == JobSignal::BackgroundRead ? Result<>(fail(Errno::Io)) : Result<>();
        if (current_group_orphaned())
            return fail(Errno::Io);
        signal_group(job.group, signal);
        return fail(Errno::Restart);  // stops on the way out and comes back when continued
    }
}

// Waits for input by the rules of the mode. -> 0: end of file, or MIN is 0 and nothing came.
Result<std::size_t> Tty::take(std::span<std::uint8_t> to, bool nonblocking, bool* taken) {
    Nanoseconds deadline = kForever;
    bool timed = false;
    std::size_t done = 0;
    for (;;) {
        std::uint64_t seen;
        bool hung_up;
        {
            SpinGuard guard(state_lock_);
            seen = input_count_;
            hung_up = hung_up_;
        }
        std::size_t minimum = 1;
        {
            MutexGuard guard(lock_);
            bool end_of_file;
            const std::size_t size = discipline_.read(to.subspan(done), &end_of_file);
            done += size;
            *taken |= size || end_of_file;
            if (end_of_file || hung_up)
                return done;
            if (discipline_.canonical()) {
                if (done)
                    return done;
            } else {
                const auto& characters = discipline_.settings().characters;
                minimum = std::min<std::size_t>(characters[kMinimum], to.size());
                if (done >= minimum && (done || characters[kTime] == 0))
                    return done;
                // TIME runs between bytes; with MIN 0 from the start of the read.
                if (characters[kTime] && ((minimum == 0 && !timed) || (minimum && size))) {
                    deadline = monotonic_now() + characters[kTime] * kTenthOfSecond;
                    timed = true;
                }
            }
        }
        if (nonblocking)
            return done ? Result<std::size_t>(done) : fail(Errno::Again);
        SpinGuard guard(state_lock_);
        while (input_count_ == seen) {
            if (auto woken = readers_.wait(guard, Sleep::Interruptible, deadline); !woken) {
                if (done || woken.error() == Errno::TimedOut)
                    return done;
                return fail(woken.error());
            }
        }
    }
}

Result<std::size_t> Tty::read(Uio& uio, bool nonblocking) {
    SKEP_TRY(check_background(JobSignal::BackgroundRead));
    if (!uio.remaining())
        return 0;
    std::array<std::uint8_t, 512> buffer;
    bool taken = false;
    const auto size =
        take({buffer.data(), std::min(buffer.size(), uio.remaining())}, nonblocking, &taken);
    if (taken)
        driver_.input_taken();
    return uio.put(buffer.data(), SKEP_TRY(size));
}

Result<std::size_t> Tty::write(Uio& uio, bool nonblocking) {
    if (settings().local & kLocalStopOutput)
        SKEP_TRY(check_background(JobSignal::BackgroundWrite));
    std::array<std::uint8_t, 512> buffer;
    std::size_t done = 0;
    while (uio.remaining()) {
        std::size_t size = std::min(buffer.size(), uio.remaining());
        for (;;) {
            std::uint64_t seen;
            {
                SpinGuard guard(state_lock_);
                if (hung_up_)
                    return fail(Errno::Io);
                seen = drain_count_;
            }
            {
                MutexGuard guard(lock_);
                const std::size_t room = driver_.room() / kOutputGrowth;
                if (!discipline_.output_stopped() && room) {
                    size = std::min(size, room);
                    break;
                }
            }
            if (nonblocking)
                return done ? Result<std::size_t>(done) : fail(Errno::Again);
            SpinGuard state(state_lock_);
            while (drain_count_ == seen)
                if (auto woken = writers_.wait(state); !woken)
                    return done ? Result<std::size_t>(done) : fail(woken.error());
        }
        auto taken = uio.take(buffer.data(), size);
        if (!taken)
            return done ? Result<std::size_t>(done) : taken;
        {
            MutexGuard guard(lock_);
            Collected sink(driver_);
            discipline_.output({buffer.data(), *taken}, sink);
        }
        done += *taken;
        if (*taken < size)
            break;
    }
    return done;
}

Events Tty::ready(Events interest) {
    Events events = 0;
    {
        SpinGuard guard(state_lock_);
        if (hung_up_)
            return (interest & (kReadable | kWritable)) | kHangup;
    }
    MutexGuard guard(lock_);
    if (discipline_.can_read())
        events |= kReadable;
    if (!discipline_.output_stopped() && driver_.room() >= kOutputGrowth)
        events |= kWritable;
    return events & interest;
}

std::size_t Tty::input_available() {
    MutexGuard guard(lock_);
    return discipline_.available();
}

Termios Tty::settings() {
    MutexGuard guard(lock_);
    return discipline_.settings();
}

Result<> Tty::set_settings(const Termios& settings, ApplyWhen when) {
    SKEP_TRY(check_background(JobSignal::BackgroundWrite));
    bool readable;
    {
        MutexGuard guard(lock_);
        if (when == ApplyWhen::AfterOutputFlushingInput)
            discipline_.flush_input();
        discipline_.set(settings);
        readable = discipline_.can_read();
    }
    if (readable)
        wake_readers();
    output_drained();
    return {};
}

void Tty::flush(bool input, bool) {
    if (!input)
        return;
    {
        MutexGuard guard(lock_);
        discipline_.flush_input();
    }
    driver_.input_taken();
}

WindowSize Tty::window_size() {
    SpinGuard guard(state_lock_);
    return window_;
}

void Tty::set_window_size(const WindowSize& size) {
    std::int32_t group = 0;
    {
        SpinGuard guard(state_lock_);
        if (!(window_ == size))
            group = foreground_;
        window_ = size;
    }
    if (group)
        signal_group(group, JobSignal::WindowChange);
}

void Tty::opened_by_session_leader() {
    const Job job = current_job();
    if (job.session_leader() && !controlling())
        (void)make_controlling(false);
}

Result<> Tty::make_controlling(bool steal) {
    const Job job = current_job();
    if (!job.session_leader())
        return fail(Errno::Perm);
    const Ref<Tty> present = controlling();
    if (present && present.get() != this)
        return fail(Errno::Perm);
    SpinGuard guard(state_lock_);
    // A terminal that has hung up stays without a session: whoever finds one by its session may
    // keep it.
    if (hung_up_)
        return fail(Errno::Io);
    if (session_ == job.session)
        return {};
    if (session_ && !steal)
        return fail(Errno::Perm);
    session_ = job.session;
    foreground_ = job.group;
    return {};
}

Result<> Tty::give_up_controlling() {
    const Job job = current_job();
    if (!is_controlling_of(job))
        return fail(Errno::NoTty);
    if (job.session_leader())
        session_ended(job.session);
    return {};
}

Result<std::int32_t> Tty::foreground_group(bool from_master) {
    const Job job = current_job();
    if (!from_master && !is_controlling_of(job))
        return fail(Errno::NoTty);
    SpinGuard guard(state_lock_);
    return foreground_;
}

Result<> Tty::set_foreground_group(std::int32_t group) {
    const Job job = current_job();
    if (!is_controlling_of(job))
        return fail(Errno::NoTty);
    if (group <= 0)
        return fail(Errno::Inval);
    SKEP_TRY(check_background(JobSignal::BackgroundWrite));
    const std::int32_t session = session_of_group(group);
    if (session != job.session)
        return fail(Errno::Perm);
    SpinGuard guard(state_lock_);
    foreground_ = group;
    return {};
}

Result<std::int32_t> Tty::session() {
    const Job job = current_job();
    if (!is_controlling_of(job))
        return fail(Errno::NoTty);
    return job.session;
}

void Tty::session_ended(std::int32_t session) {
    Ref<Tty> ended;
    {
        SpinGuard guard(all().lock);
        for (Tty& tty : all().list) {
            SpinGuard state(tty.state_lock_);
            if (tty.session_ == session)
                ended = Ref<Tty>(&tty);
        }
    }
    if (!ended)
        return;
    std::int32_t group;
    {
        SpinGuard state(ended->state_lock_);
        group = ended->foreground_;
        ended->session_ = ended->foreground_ = 0;
    }
    if (group) {
        signal_group(group, JobSignal::Hangup);
        signal_group(group, JobSignal::Continue);
    }
}

Ref<Tty> Tty::controlling() {
    const std::int32_t session = current_job().session;
    SpinGuard guard(all().lock);
    if (session)
        for (Tty& tty : all().list) {
            SpinGuard state(tty.state_lock_);
            if (tty.session_ == session)
                return Ref<Tty>(&tty);
        }
    return {};
}

std::optional<Tty::Controlling> Tty::controlling_of(std::int32_t session) {
    SpinGuard guard(all().lock);
    for (Tty& tty : all().list) {
        SpinGuard state(tty.state_lock_);
        if (session && tty.session_ == session)
            return Controlling{tty.device_number_, tty.foreground_};
    }
    return std::nullopt;
}

}  // namespace skep::kernel
