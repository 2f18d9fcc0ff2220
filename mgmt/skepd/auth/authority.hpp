// Who may call: the one-time token on the console, and the credentials that it was traded for.
//
// Secrets are stored as SHA-256 digests; they are random (100 and 256 bits), so that a slow hash
// would add nothing.
#pragma once

#include "mgmt/common/error.hpp"
#include "mgmt/skepd/catalogue/catalogue.hpp"

#include "skep/api/v1/auth_service.pb.h"

#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace skep::mgmt {

class Authority {
  public:
    // Reads the credentials into memory.
    static Result<std::unique_ptr<Authority>> open(Catalogue& catalogue);

    // Makes a new one-time token, which replaces the one before. For the console, nowhere else.
    Result<std::string> issue_one_time_token();
    bool has_credentials() const;

    struct Issued {
        skep::api::v1::Credential credential;
        std::string secret;
    };
    // UNAUTHENTICATED: TOKEN_USED or TOKEN_WRONG.
    Result<Issued> exchange(const std::string& one_time_token, const std::string& display_name);

    // The value of the `authorization` metadata -> the credential's id. UNAUTHENTICATED otherwise.
    Result<std::string> authenticate(const std::optional<std::string>& authorization) const;

  private:
    explicit Authority(Catalogue& catalogue) : catalogue_(catalogue) {}

    Catalogue& catalogue_;
    mutable std::mutex mutex_;
    std::map<std::string, std::string> id_by_digest_;  // SHA-256 of the secret, hex
};

}  // namespace skep::mgmt
