#include "mgmt/cli/auth/fetch_certificate.hpp"
#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/show.hpp"
#include "mgmt/common/api_status.hpp"
#include "mgmt/common/text.hpp"

#include "skep/api/v1/auth_service.grpc.pb.h"

#include <grpcpp/channel.h>

#include <unistd.h>

#include <cstdlib>
#include <iostream>

namespace skep::mgmt::cli {
namespace {

using namespace skep::api::v1;

struct Arguments {
    std::string address, fingerprint, token;
    std::uint32_t timeout = 60;
};

std::string display_name() {
    char host[256] = "";
    ::gethostname(host, sizeof host - 1);
    const char* user = std::getenv("USER");
    return std::string(user ? user : "somebody") + "@" + host;
}

// The answer to a question on the terminal; empty if there is no terminal.
std::string ask(const std::string& question) {
    if (::isatty(STDIN_FILENO) != 1)
        return "";
    std::cerr << question << std::flush;
    std::string answer;
    std::getline(std::cin, answer);
    return answer;
}

Result<void> check_fingerprint(const std::string& shown, const std::string& expected) {
    if (expected.empty()) {
        auto answer = ask("the server's fingerprint is\n  " + shown +
                          "\nIs it the one on the machine's console? [y/N] ");
        if (answer == "y" || answer == "yes")
            return {};
        return fail(Error(Code::FailedPrecondition, "FINGERPRINT_MISSING",
                          "without its fingerprint the server cannot be told from another")
                        .with_hint("give --fingerprint with the one on the machine's console"));
    }
    if (normalized_fingerprint(expected) == shown)
        return {};
    return fail(Error(Code::Unauthenticated, "FINGERPRINT_WRONG",
                      "the server shows another certificate: its fingerprint is " + shown)
                    .with_hint("compare with the machine's console; if they differ, somebody else "
                               "answers at this address"));
}

Result<void> run(Context& context, const Arguments& arguments) {
    auto address = with_port(arguments.address);
    auto certificate = fetch_certificate(address, arguments.timeout);
    RETURN_IF_ERROR(certificate);
    RETURN_IF_ERROR(check_fingerprint(certificate->fingerprint, arguments.fingerprint));
    auto token = arguments.token.empty() ? ask("one-time token: ") : arguments.token;
    if (token.empty())
        return fail(Error(Code::InvalidArgument, "TOKEN_MISSING", "a one-time token is needed")
                        .with_hint("give --token with the one on the machine's console"));

    auto stub = AuthService::NewStub(make_channel(address, certificate->pem));
    ExchangeTokenRequest request;
    request.set_one_time_token(token);
    request.set_display_name(display_name());
    ExchangeTokenResponse response;
    grpc::ClientContext call;
    call.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(arguments.timeout));
    auto status = stub->ExchangeToken(&call, request, &response);
    if (!status.ok())
        return fail(from_grpc(status));

    Server server;
    server.set_address(address);
    server.set_certificate(certificate->pem);
    server.set_fingerprint(certificate->fingerprint);
    server.set_credential(response.credential().name());
    server.set_secret(response.secret());
    auto config = load_config(context.config_file());
    RETURN_IF_ERROR(config);
    put_server(*config, server);
    RETURN_IF_ERROR(save_config(context.config_file(), *config));
    show(context, response.credential(),
         "logged in to " + address + " as " + response.credential().name() + "\n");
    return {};
}

}  // namespace

void add_login(Parent& parent, Context& context) {
    auto arguments = std::make_shared<Arguments>();
    Command command(parent, "login", "trades an appliance's one-time token for a credential");
    command.positional("HOST:PORT", arguments->address, "port 8443 if none is given");
    command.option("--fingerprint", arguments->fingerprint,
                   "SHA-256 of its certificate, from its console");
    command.option("--token", arguments->token, "one-time token, from its console");
    command.option("--timeout", arguments->timeout, "seconds (60)");
    command.run(context, arguments, run);
}

}  // namespace skep::mgmt::cli
