// Asks a server for its certificate, before anything is trusted.
#pragma once

#include "mgmt/common/error.hpp"

#include <string>

namespace skep::mgmt::cli {

struct FetchedCertificate {
    std::string pem;
    std::string fingerprint;  // SHA-256, "AA:BB:..."
};

// A TLS handshake with nothing verified and nothing sent. UNAVAILABLE if nobody answers.
Result<FetchedCertificate> fetch_certificate(const std::string& address, unsigned timeout_seconds);

}  // namespace skep::mgmt::cli
