// What every command gets: the global options, and the way to the server.
//
// A command is one file, NOUN/VERB.cpp, with one function that adds it to its parent
// (commands.hpp). Its body runs after parsing and returns Result<void>; main.cpp prints the error
// and chooses the exit code.
#pragma once

#include "mgmt/cli/config.hpp"
#include "mgmt/common/error.hpp"

#include <functional>
#include <memory>
#include <string>

namespace grpc {
class Channel;
class ClientContext;
}  // namespace grpc

namespace skep::mgmt::cli {

class Context {
  public:
    bool json = false;
    std::string config_path;  // empty: the default one
    std::string server;       // HOST:PORT; empty: the current one of the configuration

    std::string config_file() const {
        return config_path.empty() ? default_config_path() : config_path;
    }
    // The channel to the server, made at its first use.
    Result<std::shared_ptr<grpc::Channel>> channel();
    // The credential goes with the call.
    void authorize(grpc::ClientContext& call) const;

    // The command that the command line chose.
    std::function<Result<void>()> chosen;

  private:
    std::shared_ptr<grpc::Channel> channel_;
    Server entry_;
};

// TLS that trusts exactly this certificate.
std::shared_ptr<grpc::Channel> make_channel(const std::string& address,
                                            const std::string& certificate_pem);

}  // namespace skep::mgmt::cli
