#include "mgmt/skepd/guest/guest.hpp"

#include "mgmt/skepd/guest/spawn.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace skep::mgmt {
namespace {

using skep::control::v1::State;

// After a guest turned itself off or crashed, its process gets this long to go away by itself.
constexpr int kLastWordsMilliseconds = 30'000;

Result<std::pair<UniqueFd, UniqueFd>> socket_pair(const char* purpose) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return fail(system_error(errno, std::string("cannot make a socket pair for ") + purpose));
    return std::pair{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Error guest_gone() {
    return {Code::Aborted, "GUEST_ENDED", "the guest ended while this was under way"};
}

// An error of the device process, as our clients are to see it.
Error refusal(const skep::control::v1::Status& status) {
    auto code = static_cast<Code>(status.code());
    // A file could not be read or written. To a client UNAVAILABLE means that nobody answers.
    if (code == Code::Unavailable)
        code = status.message().find(std::strerror(ENOSPC)) != std::string::npos
                   ? Code::ResourceExhausted
                   : Code::Internal;
    return {code, "DEVICE_PROCESS_REFUSED", status.message()};
}

std::string death_of(int status) {
    if (WIFSIGNALED(status))
        return "its device process was killed by signal " + std::to_string(WTERMSIG(status));
    return "its device process ended with status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

Guest::Guest(VmmDevice device, OnEnd on_end)
    : device_(std::move(device)), on_end_(std::move(on_end)) {}

Result<std::shared_ptr<Guest>> Guest::start(const VmmPaths& paths, const std::string& name,
                                            OnEnd on_end) {
    RETURN_IF_ERROR(check_can_run_guests(paths));
    auto device = VmmDevice::create(paths, name);
    RETURN_IF_ERROR(device);
    auto control = socket_pair("the control messages");
    RETURN_IF_ERROR(control);
    auto console = socket_pair("the console");
    RETURN_IF_ERROR(console);
    int wake[2];
    if (::pipe2(wake, O_CLOEXEC) != 0)
        return fail(system_error(errno, "cannot make a pipe"));

    std::shared_ptr<Guest> guest(new Guest(std::move(*device), std::move(on_end)));
    guest->wake_read_.reset(wake[0]);
    guest->wake_write_.reset(wake[1]);
    auto pid = spawn_device_process(paths.program, name, control->second.get(), guest->device_.fd(),
                                    console->second.get());
    RETURN_IF_ERROR(pid);
    guest->pid_ = *pid;
    guest->device_.close_node();
    guest->control_ = std::move(control->first);
    guest->console_fd_ = std::move(console->first);
    guest->thread_ = std::thread([raw = guest.get()] { raw->follow(); });
    return guest;
}

Guest::~Guest() {
    if (thread_.joinable()) {
        wake_write_.reset();
        thread_.join();
    }
}

Result<void> Guest::send(const Request& request, std::span<const int> fds) {
    auto frame = make_frame(request.SerializeAsString());
    RETURN_IF_ERROR(frame);
    std::lock_guard frames_do_not_mix(sends_);
    std::string_view rest = *frame;
    alignas(cmsghdr) char ancillary[CMSG_SPACE(64 * sizeof(int))] = {};
    if (fds.size() > 64)
        return fail(Error(Code::InvalidArgument, "TOO_MANY_DISKS", "a guest has at most 62 disks"));
    bool first = true;
    while (!rest.empty()) {
        iovec part{const_cast<char*>(rest.data()), rest.size()};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        if (first && !fds.empty()) {
            message.msg_control = ancillary;
            message.msg_controllen = CMSG_SPACE(fds.size_bytes());
            auto* header = CMSG_FIRSTHDR(&message);
            header->cmsg_level = SOL_SOCKET;
            header->cmsg_type = SCM_RIGHTS;
            header->cmsg_len = CMSG_LEN(fds.size_bytes());
            std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
        }
        auto sent = ::sendmsg(control_.get(), &message, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return fail(errno == EPIPE || errno == ECONNRESET
                            ? guest_gone()
                            : system_error(errno, "cannot send to the guest's device process"));
        rest.remove_prefix(static_cast<std::size_t>(sent));
        first = false;
    }
    return {};
}

Result<Guest::Response> Guest::call(Request request, std::span<const int> fds,
                                    const Progress& progress) {
    std::lock_guard one_at_a_time(calls_);
    {
        std::lock_guard lock(mutex_);
        if (ended_)
            return fail(guest_gone());
        request.set_id(next_id_++);
        awaited_id_ = request.id();
        answer_.reset();
        progress_ = &progress;
        cancel_sent_ = false;
    }
    auto sent = send(request, fds);
    std::unique_lock lock(mutex_);
    if (sent)
        changed_.wait(lock, [&] { return ended_ || answer_.has_value(); });
    awaited_id_ = 0;
    progress_ = nullptr;
    RETURN_IF_ERROR(sent);
    if (!answer_) {
        auto error = guest_gone();
        if (end_)
            error.message += ": " + end_->detail;
        return fail(error);
    }
    auto response = std::move(*answer_);
    answer_.reset();
    if (response.status().code() != 0)
        return fail(refusal(response.status()));
    return response;
}

Result<void> Guest::configure(const skep::vm::v1::MachineSpec& spec, std::span<const int> fds) {
    Request request;
    *request.mutable_configure()->mutable_spec() = spec;
    RETURN_IF_ERROR(call(std::move(request), fds, {}));
    return {};
}

Result<void> Guest::restore(std::span<const int> fds, const Progress& progress) {
    Request request;
    request.mutable_restore();
    RETURN_IF_ERROR(call(std::move(request), fds, progress));
    return {};
}

Result<void> Guest::run() {
    Request request;
    request.mutable_run();
    RETURN_IF_ERROR(call(std::move(request), {}, {}));
    return {};
}

Result<void> Guest::pause() {
    Request request;
    request.mutable_pause();
    RETURN_IF_ERROR(call(std::move(request), {}, {}));
    return {};
}

Result<skep::control::v1::SaveResult> Guest::save(int fd, const std::string& creator,
                                                  const Progress& progress) {
    Request request;
    request.mutable_save()->set_creator(creator);
    const int fds[] = {fd};
    auto response = call(std::move(request), fds, progress);
    RETURN_IF_ERROR(response);
    return response->save();
}

void Guest::end(std::chrono::seconds patience) {
    {
        std::lock_guard lock(mutex_);
        end_wanted_ = true;
    }
    Request request;
    request.mutable_shutdown();
    {
        std::lock_guard lock(mutex_);
        request.set_id(next_id_++);
    }
    // Not through call(): a request that hangs must not keep the guest alive.
    auto sent = send(request, {});
    std::unique_lock lock(mutex_);
    if (sent)
        changed_.wait_for(lock, patience, [&] { return ended_; });
    wake_write_.reset();
    changed_.wait(lock, [&] { return ended_; });
}

bool Guest::type(std::string_view bytes) {
    while (!bytes.empty()) {
        auto sent =
            ::send(console_fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            bytes.remove_prefix(static_cast<std::size_t>(sent));
            continue;
        }
        if (sent < 0 && errno != EINTR && errno != EAGAIN)
            return false;
        // The guest reads slowly; look every so often whether it is still there.
        pollfd writable{console_fd_.get(), POLLOUT, 0};
        ::poll(&writable, 1, 500);
        std::lock_guard lock(mutex_);
        if (ended_)
            return false;
    }
    return true;
}

void Guest::follow() {
    bool console_open = true, kill_wanted = false;
    int patience = -1;
    for (;;) {
        pollfd polled[3] = {{control_.get(), POLLIN, 0},
                            {kill_wanted ? -1 : wake_read_.get(), POLLIN, 0},
                            {console_open ? console_fd_.get() : -1, POLLIN, 0}};
        int ready = ::poll(polled, 3, patience);
        if (ready < 0 && errno != EINTR)
            break;
        if (polled[2].revents != 0)
            console_open = read_console();
        if (ready == 0 || (ready > 0 && polled[1].revents != 0)) {
            kill_wanted = true;
            patience = -1;
            ::kill(pid_, SIGKILL);
        }
        if (ready > 0 && polled[0].revents != 0 && !read_control())
            break;
        std::lock_guard lock(mutex_);
        if (end_ && !kill_wanted)
            patience = kLastWordsMilliseconds;
    }
    finish();
}

bool Guest::read_console() {
    char buffer[16384];
    auto count = ::recv(console_fd_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (count > 0)
        console_->append({buffer, static_cast<std::size_t>(count)});
    return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
}

bool Guest::read_control() {
    char buffer[16384];
    auto count = ::recv(control_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (count < 0)
        return errno == EAGAIN || errno == EINTR;
    if (count == 0)
        return false;
    frames_.feed({buffer, static_cast<std::size_t>(count)});
    for (;;) {
        auto message = frames_.next();
        Response response;
        if (!message || (*message && !response.ParseFromString(**message))) {
            std::lock_guard lock(mutex_);
            end_ = GuestEnd{true, "its device process sent what is no control message"};
            ::kill(pid_, SIGKILL);
            return false;
        }
        if (!*message)
            return true;
        take(std::move(response));
    }
}

void Guest::take(Response response) {
    if (response.id() == 0) {
        if (response.event().has_state())
            take_state(response.event().state());
        if (response.event().has_progress())
            take_progress(response.event().progress());
        return;
    }
    std::lock_guard lock(mutex_);
    if (response.id() == awaited_id_) {
        answer_ = std::move(response);
        changed_.notify_all();
    }
}

void Guest::take_progress(const skep::control::v1::Progress& progress) {
    Request request;
    {
        std::lock_guard lock(mutex_);
        if (!progress_ || !*progress_ ||
            (*progress_)(progress.done_bytes(), progress.total_bytes()) ||
            std::exchange(cancel_sent_, true))
            return;
        request.set_id(next_id_++);
    }
    request.mutable_cancel();
    // If it cannot be sent the guest is ending, and the request that waits is told so.
    [[maybe_unused]] auto sent = send(request, {});
}

void Guest::take_state(const State& state) {
    if (state.phase() != State::PHASE_POWERED_OFF && state.phase() != State::PHASE_CRASHED)
        return;
    bool crashed = state.phase() == State::PHASE_CRASHED;
    Request request;
    request.mutable_shutdown();
    {
        std::lock_guard lock(mutex_);
        if (!end_)
            end_ = GuestEnd{crashed, !state.detail().empty() ? state.detail()
                                     : crashed               ? "the guest crashed"
                                                             : "the guest turned itself off"};
        request.set_id(next_id_++);
    }
    // Its process lingers to be asked about it; nobody will. If this cannot be sent it is ending
    // anyway.
    [[maybe_unused]] auto sent = send(request, {});
}

void Guest::finish() {
    // The socket is closed; what does not end by itself now would hold the guest's memory.
    int status = 0;
    bool reaped = false;
    for (int i = 0; i < 100 && !reaped; ++i) {
        reaped = ::waitpid(pid_, &status, WNOHANG) == pid_;
        if (!reaped)
            ::usleep(20'000);
    }
    if (!reaped) {
        ::kill(pid_, SIGKILL);
        while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
        }
    }
    while (read_console()) {
        pollfd readable{console_fd_.get(), POLLIN, 0};
        if (::poll(&readable, 1, 0) <= 0)
            break;
    }
    auto destroyed = device_.destroy();
    GuestEnd end;
    {
        std::lock_guard lock(mutex_);
        if (end_)
            end = *end_;
        else if (end_wanted_)
            end = {false, "stopped"};
        else
            end = {true, death_of(status)};
        if (!destroyed)
            end.detail += "; " + destroyed.error().message;
        end_ = end;
    }
    on_end_(end);
    console_->close();
    std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
}

}  // namespace skep::mgmt
