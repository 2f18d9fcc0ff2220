#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/connect.hpp"
#include "mgmt/cli/show.hpp"
#include "mgmt/cli/vm/raw_terminal.hpp"
#include "mgmt/cli/vm/until.hpp"
#include "mgmt/common/files.hpp"

#include "skep/api/v1/vm_service.grpc.pb.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <thread>

namespace skep::mgmt::cli {
namespace {

using namespace skep::api::v1;
using Stream = grpc::ClientReaderWriter<AttachConsoleRequest, AttachConsoleResponse>;

constexpr char kEscape = 0x1d;  // Ctrl-]

struct Arguments {
    std::string id, until;
    bool follow = false, no_replay = false, no_input = false;
    std::uint32_t timeout = 0, wait = 0;
};

// Hands on standard input to the guest, on a thread of its own, until it is told to stop, the input
// ends or, on a terminal, the escape key comes.
class Keyboard {
  public:
    Keyboard(Stream& stream, grpc::ClientContext& call, bool terminal)
        : stream_(stream), call_(call), terminal_(terminal) {
        if (::pipe2(stop_, O_CLOEXEC) == 0)
            thread_ = std::thread([this] { follow(); });
    }
    ~Keyboard() { stop(); }

    // Nothing is sent after it returns.
    void stop() {
        if (!thread_.joinable())
            return;
        ::close(stop_[1]);
        thread_.join();
        ::close(stop_[0]);
    }
    bool left() const { return left_; }

  private:
    void follow() {
        char keys[4096];
        for (;;) {
            pollfd polled[2] = {{STDIN_FILENO, POLLIN, 0}, {stop_[0], POLLIN, 0}};
            if (::poll(polled, 2, -1) < 0 && errno != EINTR)
                return;
            if (polled[1].revents != 0)
                return;
            if (polled[0].revents == 0)
                continue;
            auto count = ::read(STDIN_FILENO, keys, sizeof keys);
            if (count <= 0)
                return;
            std::string input(keys, static_cast<std::size_t>(count));
            auto escape = terminal_ ? input.find(kEscape) : std::string::npos;
            AttachConsoleRequest request;
            request.set_input(input.substr(0, escape));
            if (!request.input().empty() && !stream_.Write(request))
                return;
            if (escape != std::string::npos) {
                left_ = true;
                call_.TryCancel();
                return;
            }
        }
    }

    Stream& stream_;
    grpc::ClientContext& call_;
    bool terminal_;
    std::atomic<bool> left_ = false;
    int stop_[2];
    std::thread thread_;
};

Result<void> outcome(const Arguments& arguments, const grpc::Status& status, bool left,
                     bool satisfied) {
    if (left || satisfied)
        return {};
    bool timed_out =
        status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED && arguments.timeout > 0;
    if (!status.ok() && !timed_out)
        return fail(from_grpc(status));
    if (!arguments.until.empty())
        return fail(Error(Code::DeadlineExceeded, "TEXT_NOT_SEEN",
                          timed_out
                              ? "'" + arguments.until + "' was not printed within " +
                                    std::to_string(arguments.timeout) + " s"
                              : "the guest ended and '" + arguments.until + "' was not printed"));
    if (timed_out)
        return fail(
            Error(Code::DeadlineExceeded, "TIME_IS_OVER",
                  "the guest still runs after " + std::to_string(arguments.timeout) + " s"));
    return {};
}

Result<void> run(Context& context, const Arguments& arguments) {
    auto vms = connect<VmService>(context);
    RETURN_IF_ERROR(vms);
    auto call = authorized(context);
    if (arguments.timeout > 0)
        call->set_deadline(std::chrono::system_clock::now() +
                           std::chrono::seconds(arguments.timeout));
    auto stream = (*vms)->AttachConsole(call.get());
    AttachConsoleRequest first;
    first.set_name(arguments.id);
    first.set_no_replay(arguments.no_replay);
    if (arguments.wait > 0)
        first.mutable_wait_running()->set_seconds(arguments.wait);
    stream->Write(first);

    bool terminal =
        !arguments.no_input && ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
    bool follow = arguments.follow || arguments.timeout > 0 || !arguments.until.empty() || terminal;
    bool input = follow && !arguments.no_input;
    if (terminal)
        std::fprintf(stderr, "console of vms/%s; Ctrl-] leaves\n", id_text(arguments.id).c_str());
    std::optional<RawTerminal> raw;
    if (terminal)
        raw.emplace(STDIN_FILENO);
    std::optional<Keyboard> keyboard;
    if (input)
        keyboard.emplace(*stream, *call, terminal);

    Until until(arguments.until);
    AttachConsoleResponse response;
    std::optional<Vm> last;
    bool satisfied = false;
    Result<void> written;
    while (!satisfied && written && stream->Read(&response)) {
        if (response.lost_bytes() != 0)
            std::fprintf(stderr, "skep: %llu bytes of output are not remembered any more\n",
                         static_cast<unsigned long long>(response.lost_bytes()));
        auto end = until.feed(response.output());
        written = write_all(STDOUT_FILENO, std::string_view(response.output()).substr(0, end),
                            "standard output");
        satisfied = end != std::string::npos || (!follow && response.live());
        if (response.has_vm()) {
            last = response.vm();
            break;
        }
    }
    bool left = keyboard && keyboard->left();
    keyboard.reset();
    // The server ends the stream after our side has; one that we have enough of is broken off.
    if (satisfied || !written)
        call->TryCancel();
    else
        stream->WritesDone();
    auto status = stream->Finish();
    raw.reset();
    RETURN_IF_ERROR(written);
    if (last)
        std::fprintf(
            stderr, "skep: vms/%s is %s%s\n", id_text(arguments.id).c_str(),
            state_text(last->state()).c_str(),
            last->state_detail().empty() ? "" : (": " + printable(last->state_detail())).c_str());
    return outcome(arguments, status, left, satisfied);
}

}  // namespace

void add_vm_console(Parent& vm, Context& context) {
    auto arguments = std::make_shared<Arguments>();
    Command command(vm, "console", "the guest's serial console");
    command.positional("ID", arguments->id);
    command.option("--until", arguments->until, "end as soon as this text was printed");
    command.option("--timeout", arguments->timeout, "end after so many seconds, with exit code 5");
    command.option("--wait", arguments->wait, "so many seconds for a guest that does not run yet");
    command.flag(
        "--follow", arguments->follow,
        "go on until the guest ends (as on a terminal), not only to the end of what was printed");
    command.flag("--no-replay", arguments->no_replay, "only what is printed from now on");
    command.flag("--no-input", arguments->no_input, "do not hand on standard input");
    command.run(context, arguments, run);
}

}  // namespace skep::mgmt::cli
