#include "mgmt/cli/auth/fetch_certificate.hpp"

#include "mgmt/common/text.hpp"
#include "mgmt/common/unique_fd.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

namespace skep::mgmt::cli {
namespace {

Error no_answer(const std::string& address, const std::string& why) {
    return Error(Code::Unavailable, "NO_ANSWER", "no answer from " + address + ": " + why)
        .with_hint(
            "does the appliance run, and is this its address? Its console says 'skepd: listening "
            "on ...'");
}

Result<UniqueFd> connect_to(const std::string& address, unsigned timeout_seconds) {
    auto colon = address.rfind(':');
    auto host = address.substr(0, colon), port = address.substr(colon + 1);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']')
        host = host.substr(1, host.size() - 2);
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (int error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0)
        return fail(no_answer(address, ::gai_strerror(error)));
    std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
    int last_error = 0;
    for (auto* entry = found; entry; entry = entry->ai_next) {
        UniqueFd fd(
            ::socket(entry->ai_family, entry->ai_socktype | SOCK_CLOEXEC, entry->ai_protocol));
        if (!fd)
            continue;
        // Bounds connect, too.
        timeval timeout{static_cast<time_t>(timeout_seconds), 0};
        ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
        ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
        if (::connect(fd.get(), entry->ai_addr, entry->ai_addrlen) == 0)
            return fd;
        last_error = errno == EINPROGRESS ? ETIMEDOUT : errno;
    }
    return fail(no_answer(address, std::strerror(last_error)));
}

std::string ssl_error_text() {
    char text[256] = "the TLS handshake failed";
    if (auto code = ERR_get_error())
        ERR_error_string_n(code, text, sizeof text);
    return text;
}

}  // namespace

Result<FetchedCertificate> fetch_certificate(const std::string& address, unsigned timeout_seconds) {
    auto fd = connect_to(address, timeout_seconds);
    RETURN_IF_ERROR(fd);
    std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context(SSL_CTX_new(TLS_client_method()),
                                                         SSL_CTX_free);
    std::unique_ptr<SSL, void (*)(SSL*)> ssl(context ? SSL_new(context.get()) : nullptr, SSL_free);
    static constexpr unsigned char kHttp2[] = {2, 'h', '2'};
    if (!ssl || SSL_set_alpn_protos(ssl.get(), kHttp2, sizeof kHttp2) != 0 ||
        SSL_set_fd(ssl.get(), fd->get()) != 1)
        return fail(Error(Code::Internal, "TLS_FAILED", ssl_error_text()));
    if (SSL_connect(ssl.get()) != 1)
        return fail(no_answer(address, ssl_error_text()));
    std::unique_ptr<X509, void (*)(X509*)> certificate(SSL_get1_peer_certificate(ssl.get()),
                                                       X509_free);
    std::unique_ptr<BIO, int (*)(BIO*)> bio(BIO_new(BIO_s_mem()), BIO_free);
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    if (!certificate || !bio || PEM_write_bio_X509(bio.get(), certificate.get()) != 1 ||
        X509_digest(certificate.get(), EVP_sha256(), digest.data(), &size) != 1)
        return fail(no_answer(address, "it shows no certificate"));
    char* data = nullptr;
    auto length = BIO_get_mem_data(bio.get(), &data);
    return FetchedCertificate{std::string(data, static_cast<std::size_t>(length)),
                              fingerprint_text({digest.data(), size})};
}

}  // namespace skep::mgmt::cli
