// The server's certificate: made at first boot, self-signed, kept in the state directory.
#pragma once

#include "mgmt/common/error.hpp"

#include <string>

namespace skep::mgmt {

struct Certificate {
    std::string key_pem, certificate_pem;
    std::string fingerprint;  // SHA-256 of the DER form, "AA:BB:..."
};

// The name in every Skep certificate. A client knows its server by the fingerprint, not by a name
// that somebody signed, so that the name is the same for all.
inline constexpr const char* kCertificateName = "skep";

// Loads DIR/server.key and DIR/server.crt; makes them if both are missing. An error names the file.
Result<Certificate> load_or_make_certificate(const std::string& directory);

// ECDSA P-256. Valid from 1970 to 9999: an appliance whose clock was never set must not lock its
// owner out, and expiry guards nothing where trust comes from the fingerprint (RFC 5280, 4.1.2.5).
Result<Certificate> make_certificate();

}  // namespace skep::mgmt
