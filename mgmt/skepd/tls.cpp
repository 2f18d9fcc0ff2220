#include "mgmt/skepd/tls.hpp"

#include "mgmt/common/files.hpp"
#include "mgmt/common/text.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <array>
#include <memory>

namespace skep::mgmt {
namespace {

template <auto Free>
struct Deleter {
    template <typename T>
    void operator()(T* object) const {
        Free(object);
    }
};
using Bio = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using X509Cert = std::unique_ptr<X509, Deleter<X509_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Deleter<X509_EXTENSION_free>>;

std::unexpected<Error> tls_error(const std::string& what) {
    char text[256] = "";
    if (auto code = ERR_get_error())
        ERR_error_string_n(code, text, sizeof text);
    return fail(
        Error(Code::Internal, "TLS_FAILED", what + (*text ? std::string(": ") + text : "")));
}

std::string bio_text(BIO* bio) {
    char* data = nullptr;
    auto size = BIO_get_mem_data(bio, &data);
    return {data, static_cast<std::size_t>(size)};
}

Result<std::string> fingerprint_of(X509* certificate) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    if (X509_digest(certificate, EVP_sha256(), digest.data(), &size) != 1)
        return tls_error("cannot take the certificate's digest");
    return fingerprint_text({digest.data(), size});
}

bool add_extension(X509* certificate, int nid, const char* value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
    Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
    return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool fill_in(X509* certificate, EVP_PKEY* key) {
    // 63 random bits: positive, and no two certificates of a rebuilt appliance share a serial.
    auto serial = std::stoull(random_hex(8), nullptr, 16) >> 1 | 1;
    auto* name = X509_get_subject_name(certificate);
    auto* common_name = reinterpret_cast<const unsigned char*>(kCertificateName);
    return X509_set_version(certificate, X509_VERSION_3) == 1 &&
           ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial) == 1 &&
           ASN1_TIME_set_string_X509(X509_getm_notBefore(certificate), "19700101000000Z") == 1 &&
           ASN1_TIME_set_string_X509(X509_getm_notAfter(certificate), "99991231235959Z") == 1 &&
           X509_set_pubkey(certificate, key) == 1 &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common_name, -1, -1, 0) == 1 &&
           X509_set_issuer_name(certificate, name) == 1 &&
           add_extension(certificate, NID_subject_alt_name, "DNS:skep") &&
           add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE") &&
           add_extension(certificate, NID_key_usage, "critical,digitalSignature,keyCertSign") &&
           add_extension(certificate, NID_ext_key_usage, "serverAuth") &&
           X509_sign(certificate, key, EVP_sha256()) != 0;
}

}  // namespace

Result<Certificate> make_certificate() {
    Key key(EVP_EC_gen("P-256"));
    if (!key)
        return tls_error("cannot make a P-256 key");
    X509Cert certificate(X509_new());
    if (!certificate || !fill_in(certificate.get(), key.get()))
        return tls_error("cannot make a certificate");
    Bio key_bio(BIO_new(BIO_s_mem())), certificate_bio(BIO_new(BIO_s_mem()));
    if (!key_bio || !certificate_bio ||
        PEM_write_bio_PrivateKey(key_bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) !=
            1 ||
        PEM_write_bio_X509(certificate_bio.get(), certificate.get()) != 1)
        return tls_error("cannot encode the certificate");
    auto fingerprint = fingerprint_of(certificate.get());
    RETURN_IF_ERROR(fingerprint);
    return Certificate{bio_text(key_bio.get()), bio_text(certificate_bio.get()), *fingerprint};
}

Result<Certificate> load_or_make_certificate(const std::string& directory) {
    auto key_path = directory + "/server.key", certificate_path = directory + "/server.crt";
    RETURN_IF_ERROR(make_directory(directory, 0700));
    auto key_there = file_exists(key_path), certificate_there = file_exists(certificate_path);
    if (!key_there || !certificate_there) {
        // The key is written first: a key alone is what an interrupted first boot leaves, and is
        // made anew.
        if (certificate_there)
            return fail(
                Error(Code::FailedPrecondition, "TLS_KEY_MISSING",
                      certificate_path + " is there but " + key_path + " is not")
                    .with_hint("restore the key, or remove the certificate to have both made anew; "
                               "clients must then log in again"));
        auto made = make_certificate();
        RETURN_IF_ERROR(made);
        RETURN_IF_ERROR(write_file(key_path, made->key_pem, 0600));
        RETURN_IF_ERROR(write_file(certificate_path, made->certificate_pem, 0644));
        return made;
    }
    auto key_pem = read_file(key_path), certificate_pem = read_file(certificate_path);
    RETURN_IF_ERROR(key_pem);
    RETURN_IF_ERROR(certificate_pem);
    Bio bio(BIO_new_mem_buf(certificate_pem->data(), static_cast<int>(certificate_pem->size())));
    X509Cert certificate(bio ? PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr) : nullptr);
    if (!certificate)
        return tls_error(certificate_path + " holds no certificate");
    Bio key_bio(BIO_new_mem_buf(key_pem->data(), static_cast<int>(key_pem->size())));
    Key key(key_bio ? PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, nullptr) : nullptr);
    if (!key || X509_check_private_key(certificate.get(), key.get()) != 1)
        return tls_error(key_path + " is not the key of " + certificate_path);
    auto fingerprint = fingerprint_of(certificate.get());
    RETURN_IF_ERROR(fingerprint);
    return Certificate{*key_pem, *certificate_pem, *fingerprint};
}

}  // namespace skep::mgmt
