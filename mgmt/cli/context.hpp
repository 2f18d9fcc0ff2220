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

class Context {
  public:
    bool json = false;
    std::string config_path;  // empty: the default one
    std::string server;       // HOST:PORT; empty: the current one of the configuration

    std::string config_file() const { return config_path.empty() ? default_config_path() : config_path; }
    // The channel to the server, made at its first use.
    Result<std::shared_ptr<grpc::Channel>> channel();
    // One call: the credential goes with it.
    std::unique_ptr<grpc::ClientContext> call() const;

    // The command that the command line chose.
    std::function<Result<void>()> chosen;

  private:
    std::shared_ptr<grpc::Channel> channel_;
    Server entry_;
};

// TLS that trusts exactly this certificate.
std::shared_ptr<grpc::Channel> make_channel(const std::string& address, const std::string& certificate_pem);

// The arguments of a command, shared by its options and its body.
template <typename Arguments, typename Body>
void on_chosen(CLI::App* command, Context& context, std::shared_ptr<Arguments> arguments, Body body) {
    command->callback([&context, arguments, body] { context.chosen = [&context, arguments, body] { return body(context, *arguments); }; });
}

// auto vms = connect<VmService>(context);
template <typename Service>
Result<std::unique_ptr<typename Service::Stub>> connect(Context& context) {
    auto channel = context.channel();
    RETURN_IF_ERROR(channel);
    return Service::NewStub(*channel);
}

}  // namespace skep::mgmt::cli
