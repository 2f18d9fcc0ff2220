#include <guestdev/control/server.hpp>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace skep::guestdev {
namespace {

using namespace std::chrono_literals;
constexpr auto kProgressInterval = 100ms;
constexpr std::uint32_t kCancelled = 1;  // google.rpc.Code
// A prompt is shown after this; whole lines at once.
constexpr auto kPartialLineDelay = 5ms;

int make_wake() {
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0)
        throw std::system_error(errno, std::generic_category(), "eventfd");
    return fd;
}

}  // namespace

Server::Server(int control, int console, Vmm& vmm)
    : wire_(control),
      control_(control),
      console_(console),
      wake_(make_wake()),
      machine_(
          vmm,
          [wake = wake_] {
              std::uint64_t one = 1;
              // Full means that the main thread is to wake up anyway.
              (void)!write(wake, &one, sizeof one);
          },
          [this] { flush_console(*machine_.board()); }) {}

Server::~Server() {
    close(wake_);
}

// ---- requests

control::v1::State Server::state_message() const {
    control::v1::State message;
    Machine::State state = machine_.state();
    message.set_detail(state.detail);
    switch (state.phase) {
        case Phase::Empty:
            message.set_phase(control::v1::State::PHASE_EMPTY);
            break;
        case Phase::Paused:
            message.set_phase(control::v1::State::PHASE_PAUSED);
            break;
        case Phase::Running:
            message.set_phase(control::v1::State::PHASE_RUNNING);
            break;
        case Phase::PoweredOff:
            message.set_phase(control::v1::State::PHASE_POWERED_OFF);
            break;
        case Phase::Crashed:
            message.set_phase(control::v1::State::PHASE_CRASHED);
            break;
    }
    return message;
}

void Server::send_state_event() {
    Phase phase = machine_.state().phase;
    if (phase == last_phase_)
        return;
    last_phase_ = phase;
    control::v1::Response response;
    *response.mutable_event()->mutable_state() = state_message();
    wire_.send(response);
}

snapshot::ProgressCallback Server::progress() {
    last_progress_ = {};
    return [this](std::uint64_t done, std::uint64_t total) {
        auto now = std::chrono::steady_clock::now();
        if (done != total && now - last_progress_ < kProgressInterval)
            return true;
        last_progress_ = now;
        control::v1::Response response;
        auto* message = response.mutable_event()->mutable_progress();
        message->set_done_bytes(done);
        message->set_total_bytes(total);
        wire_.send(response);
        broken_off_ = interrupted();
        return !broken_off_;
    };
}

void Server::take_requests() {
    Result<bool> open = wire_.receive();
    if (!open)
        stream_ = std::unexpected(open.error());
    else if (!*open)
        peer_gone_ = true;
    while (stream_) {
        auto incoming = wire_.next();
        if (!incoming)
            stream_ = std::unexpected(incoming.error());
        else if (*incoming)
            waiting_.push_back(std::move(**incoming));
        else
            return;
    }
}

bool Server::interrupted() {
    take_requests();
    return peer_gone_ || !stream_ || std::ranges::any_of(waiting_, [](const Incoming& incoming) {
               return incoming.request.has_cancel() || incoming.request.has_shutdown();
           });
}

Status Server::configure(const vm::v1::MachineSpec& spec, std::vector<Descriptor> descriptors) {
    std::size_t images = spec.boot().initrd().empty() ? 1 : 2;
    if (descriptors.size() < images)
        return fail(Code::InvalidArgument,
                    "configure: the descriptors of kernel and initrd are missing");
    std::vector<int> disks;
    for (std::size_t i = images; i < descriptors.size(); i++)
        disks.push_back(descriptors[i].get());
    SKEP_TRY(machine_.configure(spec, descriptors[0].get(), images == 2 ? descriptors[1].get() : -1,
                                disks));
    descriptors.erase(descriptors.begin(),
                      descriptors.begin() + static_cast<std::ptrdiff_t>(images));
    disks_ = std::move(descriptors);
    return {};
}

Status Server::restore(std::vector<Descriptor> descriptors) {
    if (descriptors.empty())
        return fail(Code::InvalidArgument, "restore: the snapshot's descriptor is missing");
    std::vector<int> disks;
    for (std::size_t i = 1; i < descriptors.size(); i++)
        disks.push_back(descriptors[i].get());
    SKEP_TRY(machine_.restore(descriptors[0].get(), disks, progress()));
    descriptors.erase(descriptors.begin());
    disks_ = std::move(descriptors);
    return {};
}

Status Server::save(const control::v1::Save& request, const std::vector<Descriptor>& descriptors,
                    control::v1::SaveResult& result) {
    if (descriptors.size() != 1)
        return fail(Code::InvalidArgument, "save: one descriptor is needed, " +
                                               std::to_string(descriptors.size()) + " came");
    if (Board* board = machine_.board()) {
        SKEP_TRY(machine_.pause());
        std::lock_guard lock(board->mutex());
        flush_console(*board);
    }
    auto outcome = SKEP_TRY(machine_.save(descriptors[0].get(), request.creator(), progress()));
    result.set_bytes_written(outcome.bytes_written);
    result.set_ram_bytes(outcome.ram_bytes);
    result.set_zero_bytes_elided(outcome.zero_bytes);
    return {};
}

Status Server::dispatch(Incoming& incoming, control::v1::Response& response) {
    using Kind = control::v1::Request::RequestCase;
    switch (incoming.request.request_case()) {
        case Kind::kConfigure:
            return configure(incoming.request.configure().spec(), std::move(incoming.descriptors));
        case Kind::kRestore:
            return restore(std::move(incoming.descriptors));
        case Kind::kRun:
            return machine_.run();
        case Kind::kPause:
            return machine_.pause();
        case Kind::kSave:
            return save(incoming.request.save(), incoming.descriptors, *response.mutable_save());
        case Kind::kShutdown:
            shutdown_ = true;
            return {};
        case Kind::kGetState:
        case Kind::kCancel:  // what it was meant for has ended
            return {};
        case Kind::REQUEST_NOT_SET:
            break;
    }
    return fail(Code::Unimplemented, "a request that this release does not know");
}

void Server::answer(Incoming incoming) {
    control::v1::Response response;
    response.set_id(incoming.request.id());
    broken_off_ = false;
    Status status = incoming.understood ? dispatch(incoming, response)
                                        : fail(Code::InvalidArgument,
                                               "control socket: a message that is no Request");
    if (!status) {
        response.clear_message();
        response.mutable_status()->set_code(
            broken_off_ ? kCancelled : static_cast<std::uint32_t>(status.error().code));
        response.mutable_status()->set_message(status.error().message);
    } else {
        response.mutable_status()->set_code(0);
        if (incoming.request.has_get_state() || incoming.request.has_cancel())
            *response.mutable_state() = state_message();
    }
    wire_.send(response);
}

// ---- console

void Server::flush_console(Board& board) {
    std::string& output = board.uart().output();
    std::size_t sent = 0;
    console_blocked_ = false;
    while (console_open_ && sent < output.size()) {
        ssize_t put =
            send(console_, output.data() + sent, output.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            console_blocked_ = true;
            break;
        }
        if (put <= 0)
            console_open_ = false;  // nobody listens any more
        else
            sent += static_cast<std::size_t>(put);
    }
    output.erase(0, sent);
}

int Server::serve_console() {
    Board* board = machine_.board();
    if (!board)
        return -1;
    std::lock_guard lock(board->mutex());
    auto now = std::chrono::steady_clock::now();
    bool waits = console_open_ && !console_blocked_ && !board->uart().output().empty();
    if (!waits) {
        line_begun_.reset();
        return -1;
    }
    if (!line_begun_)
        line_begun_ = now;
    if (now - *line_begun_ < kPartialLineDelay)
        return static_cast<int>(kPartialLineDelay.count());
    flush_console(*board);
    line_begun_.reset();
    return -1;
}

void Server::read_console() {
    Board* board = machine_.board();
    std::lock_guard lock(board->mutex());
    while (board->uart().can_receive()) {
        std::uint8_t byte;
        ssize_t got = recv(console_, &byte, 1, MSG_DONTWAIT);
        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0)
            console_open_ = false;
        if (got != 1)
            return;
        board->uart().receive(byte);
    }
}

// ---- the loop

int Server::poll_timeout(GuestTime next_event) const {
    if (next_event == kNever)
        return -1;
    GuestTime now = machine_.time().now();
    if (next_event <= now)
        return 0;
    constexpr GuestTime kMillisecond = 1'000'000;
    return static_cast<int>(
        std::min<GuestTime>((next_event - now + kMillisecond - 1) / kMillisecond, 60'000));
}

Status Server::serve() {
    while (!shutdown_) {
        GuestTime next_event = machine_.board() ? machine_.serve_timers() : kNever;
        int timeout = poll_timeout(next_event);
        if (int line = serve_console(); line >= 0)
            timeout = timeout < 0 ? line : std::min(timeout, line);
        send_state_event();

        short console_events = 0;
        if (Board* board = machine_.board()) {
            bool running = machine_.state().phase == Phase::Running;
            std::lock_guard lock(board->mutex());
            if (console_open_ && running && board->uart().can_receive())
                console_events |= POLLIN;
            if (console_open_ && console_blocked_)
                console_events |= POLLOUT;
        }
        std::array<pollfd, 3> fds = {{{control_, POLLIN, 0},
                                      {wake_, POLLIN, 0},
                                      {console_events ? console_ : -1, console_events, 0}}};
        if (poll(fds.data(), fds.size(), timeout) < 0 && errno != EINTR)
            return fail_errno(Code::Internal, "poll", errno);
        if (fds[1].revents) {
            std::uint64_t count;
            (void)!read(wake_, &count, sizeof count);
        }
        if (fds[2].revents & POLLOUT) {
            Board& board = *machine_.board();
            std::lock_guard lock(board.mutex());
            flush_console(board);
        }
        if (fds[2].revents & (POLLIN | POLLHUP | POLLERR))
            read_console();
        if (fds[0].revents)
            take_requests();
        while (!shutdown_ && !waiting_.empty()) {
            Incoming incoming = std::move(waiting_.front());
            waiting_.pop_front();
            answer(std::move(incoming));
        }
        SKEP_TRY(Status(stream_));
        if (peer_gone_)
            return {};
    }
    return {};
}

}  // namespace skep::guestdev
