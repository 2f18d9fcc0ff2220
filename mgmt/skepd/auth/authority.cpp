#include "mgmt/skepd/auth/authority.hpp"

#include "mgmt/common/text.hpp"
#include "mgmt/skepd/clock.hpp"

#include <cctype>

namespace skep::mgmt {
namespace {

// Settings of the catalogue.
constexpr const char* kTokenDigest = "one_time_token_digest";
constexpr const char* kUsedTokenDigest = "used_one_time_token_digest";
// A credential's record in the catalogue is "DIGEST PROTOBUF", the digest 64 hex digits.
constexpr std::size_t kDigestSize = 64;

constexpr const char* kBearer = "Bearer ";
constexpr const char* kLoginHint =
    "log in with 'skep login HOST:PORT --fingerprint FINGERPRINT --token TOKEN'; both are on the "
    "machine's console";

Error unauthenticated(const char* reason, const std::string& message, const char* hint) {
    return Error(Code::Unauthenticated, reason, message).with_hint(hint);
}

// People retype tokens: case and surrounding blanks do not matter.
std::string normalized_token(const std::string& token) {
    std::string out;
    for (char c : token)
        if (!std::isspace(static_cast<unsigned char>(c)))
            out += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return out;
}

}  // namespace

Result<std::unique_ptr<Authority>> Authority::open(Catalogue& catalogue) {
    std::unique_ptr<Authority> authority(new Authority(catalogue));
    std::string after;
    for (;;) {
        auto rows = catalogue.list(Table::Credentials, after, 100);
        RETURN_IF_ERROR(rows);
        for (const auto& row : *rows)
            authority->id_by_digest_[row.record.substr(0, kDigestSize)] = row.id;
        if (rows->empty())
            return authority;
        after = rows->back().id;
    }
}

bool Authority::has_credentials() const {
    std::lock_guard lock(mutex_);
    return !id_by_digest_.empty();
}

Result<std::string> Authority::issue_one_time_token() {
    std::lock_guard lock(mutex_);
    auto token = random_token();
    RETURN_IF_ERROR(catalogue_.set_setting(kTokenDigest, sha256_hex(token)));
    return token;
}

Result<Authority::Issued> Authority::exchange(const std::string& one_time_token,
                                              const std::string& display_name) {
    std::lock_guard lock(mutex_);
    auto digest = sha256_hex(normalized_token(one_time_token));
    auto used = catalogue_.setting(kUsedTokenDigest);
    RETURN_IF_ERROR(used);
    if (*used && equal_in_constant_time(**used, digest))
        return fail(unauthenticated(
            "TOKEN_USED", "this one-time token has been used already",
            "start skepd with --new-token on the machine's console for another one"));
    auto expected = catalogue_.setting(kTokenDigest);
    RETURN_IF_ERROR(expected);
    if (!*expected || (*expected)->empty() || !equal_in_constant_time(**expected, digest))
        return fail(unauthenticated(
            "TOKEN_WRONG", "this is not the machine's one-time token",
            "the token is on the machine's console, in the line 'skepd: one-time token:'; "
            "a restart prints a new one"));

    Issued issued;
    auto id = "c" + random_hex(6);
    issued.secret = random_hex(32);
    issued.credential.set_name("credentials/" + id);
    issued.credential.set_display_name(display_name.substr(0, 200));
    *issued.credential.mutable_create_time() = timestamp_now();
    auto secret_digest = sha256_hex(issued.secret);

    // The token goes first: if the machine stops in between, a token is lost, never used twice.
    RETURN_IF_ERROR(catalogue_.set_setting(kTokenDigest, ""));
    RETURN_IF_ERROR(catalogue_.set_setting(kUsedTokenDigest, digest));
    RETURN_IF_ERROR(catalogue_.insert(Table::Credentials, id,
                                      secret_digest + issued.credential.SerializeAsString()));
    id_by_digest_[secret_digest] = id;
    return issued;
}

Result<std::string> Authority::authenticate(const std::optional<std::string>& authorization) const {
    if (!authorization)
        return fail(
            unauthenticated("CREDENTIAL_MISSING", "this call needs a credential", kLoginHint));
    if (!authorization->starts_with(kBearer))
        return fail(unauthenticated("CREDENTIAL_MALFORMED",
                                    "the authorization metadata is not 'Bearer SECRET'",
                                    kLoginHint));
    auto digest = sha256_hex(
        std::string_view(*authorization).substr(std::char_traits<char>::length(kBearer)));
    std::lock_guard lock(mutex_);
    auto found = id_by_digest_.find(digest);
    if (found == id_by_digest_.end())
        return fail(unauthenticated("CREDENTIAL_UNKNOWN",
                                    "this appliance does not know the credential", kLoginHint));
    return found->second;
}

}  // namespace skep::mgmt
