#include "mgmt/skepd/daemon.hpp"

#include "mgmt/common/files.hpp"
#include "mgmt/skepd/api/auth_service.hpp"
#include "mgmt/skepd/api/host_service.hpp"
#include "mgmt/skepd/api/image_service.hpp"
#include "mgmt/skepd/api/operation_service.hpp"
#include "mgmt/skepd/api/snapshot_service.hpp"
#include "mgmt/skepd/api/vm_service.hpp"

#include <chrono>
#include <cstdio>

namespace skep::mgmt {

Result<std::unique_ptr<Daemon>> Daemon::start(const Options& options) {
    std::unique_ptr<Daemon> daemon(new Daemon(options));
    RETURN_IF_ERROR(daemon->open_state());
    RETURN_IF_ERROR(daemon->serve());
    return daemon;
}

Result<void> Daemon::open_state() {
    RETURN_IF_ERROR(make_directory(options_.state_dir, 0700));
    auto catalogue = Catalogue::open(options_.state_dir + "/catalogue.db");
    RETURN_IF_ERROR(catalogue);
    catalogue_ = std::move(*catalogue);
    auto store = Store::open(options_.state_dir);
    RETURN_IF_ERROR(store);
    store_ = std::make_unique<Store>(std::move(*store));
    auto authority = Authority::open(*catalogue_);
    RETURN_IF_ERROR(authority);
    authority_ = std::move(*authority);
    operations_ = std::make_unique<Operations>(*catalogue_);
    vms_ = std::make_unique<VmManager>(
        *catalogue_, *operations_, *store_,
        VmmPaths{options_.vmm_program, options_.vmm_control, options_.vmm_directory});
    snapshots_ = std::make_unique<SnapshotManager>(*catalogue_, *operations_, *store_, *vms_);
    // What an earlier run left: first the records, then the files without one.
    RETURN_IF_ERROR(operations_->abort_unfinished());
    RETURN_IF_ERROR(vms_->recover());
    return store_->tidy(*catalogue_);
}

Result<void> Daemon::serve() {
    auto certificate = load_or_make_certificate(options_.state_dir + "/tls");
    RETURN_IF_ERROR(certificate);
    services_.push_back(make_auth_service(*authority_));
    services_.push_back(make_host_service(options_, *vms_));
    services_.push_back(make_image_service(*catalogue_, *store_, *vms_));
    services_.push_back(make_operation_service(*operations_));
    services_.push_back(make_snapshot_service(*catalogue_, *store_, *snapshots_));
    services_.push_back(make_vm_service(*catalogue_, *vms_));
    std::vector<grpc::Service*> services;
    for (auto& service : services_)
        services.push_back(service.get());

    std::printf("skepd: certificate SHA-256 fingerprint: %s\n", certificate->fingerprint.c_str());
    if (options_.new_token || !authority_->has_credentials()) {
        auto token = authority_->issue_one_time_token();
        RETURN_IF_ERROR(token);
        std::printf("skepd: one-time token: %s\n", token->c_str());
    }
    auto server = start_server(options_.listen, *certificate, *authority_, services);
    RETURN_IF_ERROR(server);
    server_ = std::move(*server);
    std::printf("skepd: listening on %s\n", server_.address.c_str());
    std::puts("skepd: API ready");
    std::fflush(stdout);
    return {};
}

void Daemon::stop() {
    server_.server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(2));
    server_.server->Wait();
    vms_->stop_all();
}

}  // namespace skep::mgmt
