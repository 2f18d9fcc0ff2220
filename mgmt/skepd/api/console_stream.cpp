#include "mgmt/skepd/api/console_stream.hpp"

#include "mgmt/common/resource_name.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

namespace skep::mgmt {
namespace {

using namespace skep::api::v1;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kLook{500};
// After the last message a client closes its side; one that does not is cut off.
constexpr std::chrono::seconds kLastWords{10};

// What the client types, on a thread of its own: reading and writing a stream block separately.
class Typist {
  public:
    Typist(VmManager& vms, std::string id, ConsoleStream& stream,
           std::shared_ptr<ConsoleBuffer> console)
        : thread_([this, &vms, id = std::move(id), &stream, console = std::move(console)] {
              AttachConsoleRequest request;
              while (stream.Read(&request))
                  if (!request.input().empty() && !vms.type(id, request.input()))
                      continue;  // the guest has ended; what is typed now goes nowhere
              finished_ = true;
              console->wake();
          }) {}
    ~Typist() { thread_.join(); }
    bool finished() const { return finished_; }

  private:
    std::atomic<bool> finished_ = false;
    std::thread thread_;
};

Result<std::shared_ptr<ConsoleBuffer>> find_console(VmManager& vms, grpc::ServerContext& context,
                                                    const std::string& id, milliseconds patience) {
    auto deadline = steady_clock::now() + patience;
    for (;;) {
        auto vm = vms.get(id);
        RETURN_IF_ERROR(vm);
        auto console = vms.console(id);
        if (console && (vms.guest(id) || patience == milliseconds(0)))
            return console;
        if (steady_clock::now() >= deadline) {
            if (console)
                return console;
            return fail(Error(Code::FailedPrecondition, "VM_NOT_RUNNING",
                              vm->name() + " is " + state_text(vm->state()) +
                                  " and has printed nothing since skepd started")
                            .on(vm->name())
                            .with_hint("start it: skep vm start " + id));
        }
        if (context.IsCancelled())
            return fail(Error(Code::Cancelled, "CLIENT_GONE", "the client went away"));
        std::this_thread::sleep_for(std::min(milliseconds(100), patience));
    }
}

}  // namespace

Result<void> serve_console(VmManager& vms, grpc::ServerContext& context, ConsoleStream& stream) {
    AttachConsoleRequest first;
    if (!stream.Read(&first))
        return fail(
            Error(Code::InvalidArgument, "EMPTY_STREAM", "the stream has no first message"));
    auto id = parse_name(first.name(), "vms", "name");
    RETURN_IF_ERROR(id);
    auto patience =
        milliseconds(std::clamp<std::int64_t>(first.wait_running().seconds(), 0, 3600) * 1000);
    auto console = find_console(vms, context, *id, patience);
    RETURN_IF_ERROR(console);

    auto place = first.no_replay() ? (*console)->end() : std::uint64_t{0};
    auto remembered = (*console)->end();
    if (!first.input().empty())
        RETURN_IF_ERROR(vms.type(*id, first.input()));
    Typist typist(vms, *id, stream, *console);
    bool told_live = false;
    for (;;) {
        AttachConsoleResponse response;
        if (!told_live && place >= remembered) {
            response.set_live(true);
            told_live = true;
            if (!stream.Write(response))
                return fail(Error(Code::Cancelled, "CLIENT_GONE", "the client went away"));
            continue;
        }
        auto piece = (*console)->read(place, kLook);
        response.set_output(std::move(piece.bytes));
        response.set_lost_bytes(piece.lost);
        // Told with the last of the remembered bytes, so that a client that wants only those can
        // stop there.
        if (!told_live && place >= remembered)
            response.set_live(told_live = true);
        bool something = !response.output().empty() || piece.lost != 0 || response.live();
        if (context.IsCancelled() || (something && !stream.Write(response))) {
            context.TryCancel();
            return fail(Error(Code::Cancelled, "CLIENT_GONE", "the client went away"));
        }
        if (piece.closed)
            break;
    }
    AttachConsoleResponse last;
    if (auto vm = vms.get(*id))
        *last.mutable_vm() = std::move(*vm);
    stream.Write(last);
    auto deadline = steady_clock::now() + kLastWords;
    while (!typist.finished() && !context.IsCancelled() && steady_clock::now() < deadline)
        std::this_thread::sleep_for(milliseconds(20));
    if (!typist.finished())
        context.TryCancel();
    return {};
}

}  // namespace skep::mgmt
