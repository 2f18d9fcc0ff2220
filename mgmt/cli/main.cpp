// skep: the command line of the appliance. `skep NOUN VERB`.
#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/output.hpp"
#include "mgmt/common/version.hpp"

#include <CLI/CLI.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace {

using namespace skep::mgmt;
using namespace skep::mgmt::cli;

// README.md lists them.
int exit_code(Code code) {
    switch (code) {
        case Code::NotFound:
        case Code::Unauthenticated:
            return 3;
        case Code::Unavailable:
            return 4;
        case Code::DeadlineExceeded:
            return 5;
        default:
            return 1;
    }
}

std::string hint_for(const Error& error) {
    if (!error.hint.empty())
        return error.hint;
    if (error.code == Code::Unavailable)
        return "does the appliance run, and is its address right? If it was installed anew, log in "
               "again";
    return "";
}

int report(const Error& error) {
    auto message = error.message.empty() ? "(the server gave no reason)" : error.message;
    std::fprintf(stderr, "skep: %s: %s\n", code_name(error.code), printable(message).c_str());
    if (auto hint = hint_for(error); !hint.empty())
        std::fprintf(stderr, "skep: hint: %s\n", printable(hint).c_str());
    return exit_code(error.code);
}

CLI::App* add_noun(CLI::App& app, const char* name, const char* description) {
    auto* noun = app.add_subcommand(name, description);
    noun->require_subcommand(1);
    return noun;
}

void add_commands(CLI::App& app, Context& context) {
    add_login(app, context);
    auto* vm = add_noun(app, "vm", "virtual machines");
    add_vm_create(*vm, context);
    add_vm_list(*vm, context);
    add_vm_get(*vm, context);
    add_vm_start(*vm, context);
    add_vm_stop(*vm, context);
    add_vm_console(*vm, context);
    add_vm_delete(*vm, context);
    auto* snapshot = add_noun(app, "snapshot", "saved VMs");
    add_snapshot_save(*snapshot, context);
    add_snapshot_restore(*snapshot, context);
    add_snapshot_list(*snapshot, context);
    add_snapshot_get(*snapshot, context);
    add_snapshot_export(*snapshot, context);
    add_snapshot_import(*snapshot, context);
    add_snapshot_delete(*snapshot, context);
    auto* image = add_noun(app, "image", "kernels, initrds and disk contents");
    add_image_upload(*image, context);
    add_image_list(*image, context);
    add_image_get(*image, context);
    add_image_delete(*image, context);
    auto* host = add_noun(app, "host", "the appliance itself");
    add_host_get(*host, context);
    auto* operation = add_noun(app, "operation", "work under way or done");
    add_operation_list(*operation, context);
    add_operation_get(*operation, context);
    add_await(*operation, context);
    add_operation_cancel(*operation, context);
}

}  // namespace

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);
    ::setenv("GRPC_ENABLE_FORK_SUPPORT", "false", 1);
    // gRPC's own log lines are for its developers; errors come back as statuses.
    ::setenv("GRPC_VERBOSITY", "NONE", 0);
    Context context;
    CLI::App app{"skep: manages a Skep appliance over its gRPC API", "skep"};
    app.set_version_flag("--version", kVersion);
    app.require_subcommand(1);
    app.fallthrough();
    std::string output = "table";
    app.add_option("-o,--output", output, "table (for people) or json")
        ->check(CLI::IsMember({"table", "json"}));
    app.add_option("--config", context.config_path, "file with servers and credentials");
    app.add_option("--server", context.server,
                   "HOST:PORT of an appliance that was logged in to; default: the last");
    add_commands(app, context);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        // CLI11 would say only that a command is missing.
        if (auto unknown = app.remaining(true); !unknown.empty() && error.get_exit_code() != 0) {
            std::fprintf(stderr, "skep: unknown command or argument: %s\n",
                         unknown.front().c_str());
            return 2;
        }
        int code = app.exit(error);
        return code == 0 ? 0 : 2;
    }
    context.json = output == "json";
    auto result = context.chosen ? context.chosen() : Result<void>{};
    if (!result)
        return report(result.error());
    return std::fflush(stdout) == 0 ? 0 : 1;
}
