// What every command gets: the global options, and from them a connection and an output.
//
// A command is one file, NOUN/VERB.cpp, with one function that adds it to its parent (commands.hpp). Its body
// runs after parsing and returns Result<void>; main.cpp prints the error and chooses the exit code.
#pragma once

#include "mgmt/cli/config.hpp"
#include "mgmt/common/error.hpp"

#include <CLI/CLI.hpp>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <functional>
#include <memory>
#include <string>

namespace skep::mgmt::cli {

enum class Output { Table, Json };

class Context {
  public:
    Output output = Output::Table;
    std::string config_path;  // empty: the default one
    std::string server;       // HOST:PORT of a server in the configuration; empty: the one last logged in to

    // The channel to the server, made at its first use.
    Result<std::shared_ptr<grpc::Channel>> channel();
    // Metadata and deadline of one call. Seconds 0: no deadline.
    std::unique_ptr<grpc::ClientContext> call(int deadline_seconds = 0);
    std::string config_file() const;

    // The command that was chosen on the command line.
    std::function<Result<void>()> chosen;

  private:
    std::shared_ptr<grpc::Channel> channel_;
    ServerEntry entry_;
};

// A subcommand whose body becomes `chosen` when the command line names it.
template <typename Body>
void on_chosen(CLI::App* command, Context& context, Body body) {
    command->callback([&context, body = std::move(body)] { context.chosen = body; });
}

// Connects a stub: auto vms = connect<VmService>(context).
template <typename Service>
Result<std::unique_ptr<typename Service::Stub>> connect(Context& context) {
    auto channel = context.channel();
    RETURN_IF_ERROR(channel);
    return Service::NewStub(*channel);
}

}  // namespace skep::mgmt::cli
