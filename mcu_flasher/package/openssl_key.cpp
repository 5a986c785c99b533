// Keys and signatures through OpenSSL 3's EVP interface.

#include "mcu_flasher/package/openssl_key.hpp"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <algorithm>

#include "mcu_loader/core/sha256.hpp"

namespace mcuota::package {
namespace {

constexpr int kScalarBytes = 32;

template <auto Free>
struct Freer {
    template <class T>
    void operator()(T* object) const noexcept {
        Free(object);
    }
};
using Bio = std::unique_ptr<BIO, Freer<BIO_free_all>>;
using Signature = std::unique_ptr<ECDSA_SIG, Freer<ECDSA_SIG_free>>;
using Context = std::unique_ptr<EVP_MD_CTX, Freer<EVP_MD_CTX_free>>;
using Number = std::unique_ptr<BIGNUM, Freer<BN_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, Freer<OSSL_PARAM_BLD_free>>;
using Parameters = std::unique_ptr<OSSL_PARAM, Freer<OSSL_PARAM_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Freer<EVP_PKEY_CTX_free>>;

/// OpenSSL's own words for what went wrong last; its error queue is left empty.
std::string openssl_reason() {
    const unsigned long code = ERR_peek_last_error();
    const char* const text = code == 0 ? nullptr : ERR_reason_error_string(code);
    std::string out = text == nullptr ? "no reason given" : text;
    ERR_clear_error();
    return out;
}

Error key_error(std::string what, std::string next) {
    ERR_clear_error();
    return {ErrorCode::key_unreadable, std::move(what), std::move(next), 0};
}

Error crypto_error(std::string_view step) {
    return {ErrorCode::internal, "OpenSSL failed " + std::string(step) + ": " + openssl_reason(), "", 0};
}

Bio bio_over(std::string_view text) {
    return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

/// Answers "no passphrase" instead of asking on the terminal; notes that one was wanted.
int no_passphrase(char*, int, int, void* wanted) {
    *static_cast<bool*>(wanted) = true;
    return -1;
}

std::string text_of(BIO* bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    return {data, static_cast<std::size_t>(size)};
}

/// r||s to the DER form OpenSSL verifies.
std::vector<std::uint8_t> to_der(std::span<const std::uint8_t> raw) {
    Signature signature(ECDSA_SIG_new());
    Number r(BN_bin2bn(raw.data(), kScalarBytes, nullptr));
    Number s(BN_bin2bn(raw.data() + kScalarBytes, kScalarBytes, nullptr));
    if (!signature || !r || !s || ECDSA_SIG_set0(signature.get(), r.get(), s.get()) != 1) return {};
    static_cast<void>(r.release());  // owned by the signature now
    static_cast<void>(s.release());
    unsigned char* der = nullptr;
    const int size = i2d_ECDSA_SIG(signature.get(), &der);
    if (size <= 0) return {};
    std::vector<std::uint8_t> out(der, der + size);
    OPENSSL_free(der);
    return out;
}

/// DER to r||s; empty when it is no ECDSA signature.
std::vector<std::uint8_t> to_raw(std::span<const std::uint8_t> der) {
    const unsigned char* at = der.data();
    Signature signature(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
    if (!signature) return {};
    std::vector<std::uint8_t> out(2 * kScalarBytes);
    if (BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), out.data(), kScalarBytes) != kScalarBytes ||
        BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), out.data() + kScalarBytes, kScalarBytes) !=
            kScalarBytes)
        return {};
    return out;
}

bool is_p256(EVP_PKEY* key) {
    char group[64] = {};
    std::size_t length = 0;
    return EVP_PKEY_is_a(key, "EC") == 1 && EVP_PKEY_get_group_name(key, group, sizeof group, &length) == 1 &&
           std::string_view(group, length) == "prime256v1";
}

bool is_rsa_2048(EVP_PKEY* key) {
    BIGNUM* exponent = nullptr;
    if (EVP_PKEY_is_a(key, "RSA") != 1 || EVP_PKEY_get_bits(key) != 2048 ||
        EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &exponent) != 1)
        return false;
    const Number guard(exponent);
    return BN_is_word(exponent, 65537) == 1;  // the only exponent the loader knows
}

}  // namespace

std::string_view to_string(SignatureAlgorithm algorithm) noexcept {
    switch (algorithm) {
        case SignatureAlgorithm::ecdsa_p256_sha256:
            return "ecdsa-p256";
        case SignatureAlgorithm::rsa_2048_pkcs1_sha256:
            return "rsa-2048";
    }
    return "unknown";
}

Result<OpensslKey> OpensslKey::adopt(Pkey key, std::string_view origin) {
    SignatureAlgorithm algorithm{};
    if (is_p256(key.get())) {
        algorithm = SignatureAlgorithm::ecdsa_p256_sha256;
        // The id is taken over the DER form, which must not depend on how a file happens to write the point.
        EVP_PKEY_set_utf8_string_param(key.get(), OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "uncompressed");
    } else if (is_rsa_2048(key.get())) {
        algorithm = SignatureAlgorithm::rsa_2048_pkcs1_sha256;
    } else {
        return key_error(std::string(origin) + " is neither an ECDSA P-256 nor an RSA-2048 key",
                         "make one with mcuota-pack keygen");
    }
    unsigned char* der = nullptr;
    const int size = i2d_PUBKEY(key.get(), &der);
    if (size <= 0) return crypto_error("writing the public key");
    std::vector<std::uint8_t> public_der(der, der + size);
    OPENSSL_free(der);
    KeyId id{};
    const Sha256Digest digest = sha256(public_der);
    std::copy_n(digest.begin(), id.size(), id.begin());
    ERR_clear_error();
    return OpensslKey(std::move(key), algorithm, std::move(public_der), id);
}

Result<OpensslKey> OpensslKey::generate(SignatureAlgorithm algorithm) {
    Pkey key(algorithm == SignatureAlgorithm::ecdsa_p256_sha256
                 ? EVP_EC_gen("P-256")
                 : EVP_RSA_gen(static_cast<std::size_t>(2048)));
    if (!key) return crypto_error("generating a key");
    return adopt(std::move(key), "the generated key");
}

Result<OpensslKey> OpensslKey::from_private_pem(std::string_view pem, std::string_view origin) {
    bool passphrase_wanted = false;
    const Bio bio = bio_over(pem);
    Pkey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, &passphrase_wanted));
    if (key) return adopt(std::move(key), origin);
    if (passphrase_wanted)
        return key_error(std::string(origin) + " is protected by a passphrase",
                         "decrypt it first: openssl pkey -in KEY.pem -out PLAIN.pem");
    if (pem.find("BEGIN PUBLIC KEY") != std::string_view::npos)
        return key_error(std::string(origin) + " holds a public key, a private one is needed",
                         "give the file keygen wrote without .pub");
    return key_error(std::string(origin) + " holds no private key in PEM form",
                     "make one with mcuota-pack keygen");
}

Result<OpensslKey> OpensslKey::from_public_pem(std::string_view pem, std::string_view origin) {
    if (pem.find("PRIVATE KEY-----") != std::string_view::npos)
        return key_error(std::string(origin) + " holds a private key, a public one is needed",
                         "give NAME.pub.pem and keep the private key off the gateway");
    const Bio bio = bio_over(pem);
    Pkey key(PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr));
    if (!key)
        return key_error(std::string(origin) + " holds no public key in PEM form",
                         "give the NAME.pub.pem that mcuota-pack keygen wrote");
    return adopt(std::move(key), origin);
}

Result<OpensslKey> OpensslKey::from_public_der(std::span<const std::uint8_t> der) {
    const unsigned char* at = der.data();
    Pkey key(d2i_PUBKEY(nullptr, &at, static_cast<long>(der.size())));
    if (!key) return key_error("the bytes are no public key", "");
    return adopt(std::move(key), "the public key");
}

Result<OpensslKey> OpensslKey::from_loader_bytes(SignatureAlgorithm algorithm,
                                                 std::span<const std::uint8_t> bytes) {
    const bool ec = algorithm == SignatureAlgorithm::ecdsa_p256_sha256;
    const Builder builder(OSSL_PARAM_BLD_new());
    const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, ec ? "EC" : "RSA", nullptr));
    const Number modulus(ec ? nullptr : BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
    constexpr unsigned long kExponent = 65537;
    const bool described =
        builder && context &&
        (ec ? OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) ==
                      1 &&
                  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, bytes.data(),
                                                   bytes.size()) == 1
            : modulus && OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()) == 1 &&
                  OSSL_PARAM_BLD_push_ulong(builder.get(), OSSL_PKEY_PARAM_RSA_E, kExponent) == 1);
    const Parameters parameters(described ? OSSL_PARAM_BLD_to_param(builder.get()) : nullptr);
    EVP_PKEY* key = nullptr;
    if (!parameters || EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1)
        return key_error("the bytes are no public key", "");
    return adopt(Pkey(key), "the public key");
}

Result<std::vector<std::uint8_t>> OpensslKey::loader_bytes() const {
    if (algorithm_ == SignatureAlgorithm::ecdsa_p256_sha256) {
        std::vector<std::uint8_t> point(1 + 2 * kScalarBytes);
        std::size_t size = 0;
        if (EVP_PKEY_get_octet_string_param(key_.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size(),
                                            &size) != 1 ||
            size != point.size() || point[0] != 0x04)
            return crypto_error("reading the public point");
        return point;
    }
    BIGNUM* modulus = nullptr;
    if (EVP_PKEY_get_bn_param(key_.get(), OSSL_PKEY_PARAM_RSA_N, &modulus) != 1)
        return crypto_error("reading the modulus");
    const Number guard(modulus);
    std::vector<std::uint8_t> out(256);
    if (BN_bn2binpad(modulus, out.data(), static_cast<int>(out.size())) != static_cast<int>(out.size()))
        return crypto_error("reading the modulus");
    return out;
}

Result<std::string> OpensslKey::private_pem() const {
    const Bio bio(BIO_new(BIO_s_mem()));
    if (!bio ||
        PEM_write_bio_PKCS8PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
        return crypto_error("writing the private key");
    return text_of(bio.get());
}

Result<std::string> OpensslKey::public_pem() const {
    const Bio bio(BIO_new(BIO_s_mem()));
    if (!bio || PEM_write_bio_PUBKEY(bio.get(), key_.get()) != 1)
        return crypto_error("writing the public key");
    return text_of(bio.get());
}

Result<std::vector<std::uint8_t>> OpensslKey::sign(std::span<const std::uint8_t> message) const {
    const Context context(EVP_MD_CTX_new());
    std::vector<std::uint8_t> out(static_cast<std::size_t>(EVP_PKEY_get_size(key_.get())));
    std::size_t size = out.size();
    if (!context || EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get()) != 1 ||
        EVP_DigestSign(context.get(), out.data(), &size, message.data(), message.size()) != 1)
        return crypto_error("signing");
    out.resize(size);
    if (algorithm_ == SignatureAlgorithm::ecdsa_p256_sha256) out = to_raw(out);
    if (out.empty()) return crypto_error("converting the signature");
    return out;
}

bool OpensslKey::verify(std::span<const std::uint8_t> message,
                        std::span<const std::uint8_t> signature) const {
    std::vector<std::uint8_t> form(signature.begin(), signature.end());
    if (algorithm_ == SignatureAlgorithm::ecdsa_p256_sha256) {
        if (signature.size() != 2 * kScalarBytes) return false;
        form = to_der(signature);
    } else if (signature.size() != 256) {
        return false;
    }
    const Context context(EVP_MD_CTX_new());
    const bool good =
        context && !form.empty() &&
        EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get()) == 1 &&
        EVP_DigestVerify(context.get(), form.data(), form.size(), message.data(), message.size()) == 1;
    ERR_clear_error();
    return good;
}

}  // namespace mcuota::package
