#include "mgmt/skepd/daemon.hpp"

#include "mgmt/common/files.hpp"
#include "mgmt/skepd/api/auth_service.hpp"
#include "mgmt/skepd/api/host_service.hpp"

#include <chrono>
#include <cstdio>

namespace skep::mgmt {

Result<std::unique_ptr<Daemon>> Daemon::start(const Options& options) {
    std::unique_ptr<Daemon> daemon(new Daemon(options));
    RETURN_IF_ERROR(make_directory(options.state_dir, 0700));
    auto catalogue = Catalogue::open(options.state_dir + "/catalogue.db");
    RETURN_IF_ERROR(catalogue);
    daemon->catalogue_ = std::move(*catalogue);
    auto authority = Authority::open(*daemon->catalogue_);
    RETURN_IF_ERROR(authority);
    daemon->authority_ = std::move(*authority);
    auto certificate = load_or_make_certificate(options.state_dir + "/tls");
    RETURN_IF_ERROR(certificate);

    auto& services = daemon->services_;
    services.push_back(make_auth_service(*daemon->authority_));
    services.push_back(make_host_service(options));
    std::vector<grpc::Service*> pointers;
    for (auto& service : services)
        pointers.push_back(service.get());

    std::printf("skepd: certificate SHA-256 fingerprint: %s\n", certificate->fingerprint.c_str());
    if (options.new_token || !daemon->authority_->has_credentials()) {
        auto token = daemon->authority_->issue_one_time_token();
        RETURN_IF_ERROR(token);
        std::printf("skepd: one-time token: %s\n", token->c_str());
    }
    auto server = start_server(options.listen, *certificate, *daemon->authority_, pointers);
    RETURN_IF_ERROR(server);
    daemon->server_ = std::move(*server);
    std::printf("skepd: listening on %s\n", daemon->server_.address.c_str());
    std::puts("skepd: API ready");
    std::fflush(stdout);
    return daemon;
}

void Daemon::stop() {
    server_.server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(2));
    server_.server->Wait();
}

}  // namespace skep::mgmt
