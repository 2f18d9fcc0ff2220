// skep-snap: looks at saved guests on any host. Exit status: 0 the file is fine; 1 it must not be
// restored; 2 wrong usage; 3 it needs a newer release; 4 it cannot be read.
#include <snapshot/tool/commands.hpp>

#include <google/protobuf/stubs/logging.h>
#include <CLI/CLI.hpp>

#include <iostream>

namespace {

using skep::snapshot::ErrorCode;
using skep::snapshot::Status;

enum ExitStatus {
    kOk = 0,
    kRefused = 1,
    kUsage = 2,
    kNewer = 3,
    kUnreadable = 4
};

int exit_status(const Status& status) {
    if (status)
        return kOk;
    std::cerr << "skep-snap: " << status.error().describe() << '\n';
    switch (status.error().code) {
        case ErrorCode::Newer:
            return kNewer;
        case ErrorCode::Io:
            return kUnreadable;
        default:
            return kRefused;
    }
}

}  // namespace

int main(int argc, char** argv) {
    using namespace skep::snapshot::tool;
    // The reader's own errors say more than protobuf's log.
    google::protobuf::SetLogHandler(nullptr);
    CLI::App app("Looks at saved guests.", "skep-snap");
    app.set_version_flag("--version", "skep-snap " SKEP_VERSION);
    app.require_subcommand(1);
    app.footer(
        "Exit status: 0 the file is fine, 1 it must not be restored, 2 wrong usage, 3 it needs a "
        "newer release, 4 it cannot be read.");

    InfoOptions info_options;
    CLI::App* info = app.add_subcommand("info", "Show what a snapshot holds");
    info->add_option("FILE", info_options.file)->required();
    info->add_option("-o,--output", info_options.output, "text or json")
        ->check(CLI::IsMember({"text", "json"}));
    info->add_flag("--state", info_options.state, "Also show the registers and devices");

    VerifyOptions verify_options;
    CLI::App* verify = app.add_subcommand(
        "verify", "Judge a snapshot: every checksum, every rule, every compressed page");
    verify->add_option("FILE", verify_options.file, "\"-\" reads standard input")->required();

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? kOk : kUsage;
    }
    return exit_status(info->parsed() ? run_info(info_options) : run_verify(verify_options));
}
