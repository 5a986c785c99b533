// RSA verification of digestsign with OpenSSL.
#include "daemon/cloud/aliyun_digest_sign.hpp"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

#include <array>
#include <vector>

namespace mcuota::cloud::aliyun {
namespace {

template <class T, void (*Free)(T*)>
struct Freer {
    void operator()(T* p) const { Free(p); }
};
using Bignum = std::unique_ptr<BIGNUM, Freer<BIGNUM, BN_free>>;
using Context = std::unique_ptr<EVP_PKEY_CTX, Freer<EVP_PKEY_CTX, EVP_PKEY_CTX_free>>;

Error bad_key(const CloudConfig& config, const std::string& what) {
    ERR_clear_error();
    return {ErrorCode::config_invalid, "[[cloud]] " + config.name + ": " + what,
            "copy the public key from the product's secure upgrade page"};
}

SignKey key_of_numbers(const std::string& n_hex, const std::string& e_hex) {
    BIGNUM *n_raw = nullptr, *e_raw = nullptr;
    const bool read = BN_hex2bn(&n_raw, n_hex.c_str()) == static_cast<int>(n_hex.size()) &&
                      BN_hex2bn(&e_raw, e_hex.c_str()) == static_cast<int>(e_hex.size());
    const Bignum n(n_raw), e(e_raw);
    if (!read) return {};
    const std::unique_ptr<OSSL_PARAM_BLD, Freer<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free>> builder(
        OSSL_PARAM_BLD_new());
    OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get());
    OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get());
    const std::unique_ptr<OSSL_PARAM, Freer<OSSL_PARAM, OSSL_PARAM_free>> parameters(
        OSSL_PARAM_BLD_to_param(builder.get()));
    const Context context(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
    EVP_PKEY* key = nullptr;
    if (!parameters || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1)
        return {};
    return SignKey(key);
}

/// Empty when the text is not base64.
std::string decode_base64(const std::string& text) {
    if (text.empty() || text.size() % 4 != 0 || text.size() > 4096) return {};
    std::vector<unsigned char> out(text.size() / 4 * 3);
    const int size = EVP_DecodeBlock(out.data(), reinterpret_cast<const unsigned char*>(text.data()),
                                     static_cast<int>(text.size()));
    if (size < 0) return {};
    const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
    return {reinterpret_cast<const char*>(out.data()), static_cast<std::size_t>(size) - padding};
}

}  // namespace

Result<SignKey> load_sign_key(const CloudConfig& config) {
    SignKey key;
    if (!config.digest_sign_key_pem.empty()) {
        const std::unique_ptr<BIO, Freer<BIO, BIO_free_all>> file(BIO_new_mem_buf(
            config.digest_sign_key_pem.data(), static_cast<int>(config.digest_sign_key_pem.size())));
        key.reset(PEM_read_bio_PUBKEY(file.get(), nullptr, nullptr, nullptr));
    } else {
        if (config.digest_sign_n_hex.find_first_not_of('0') == std::string::npos)
            return bad_key(config, "digest_sign is on but its key is missing or all zeros");
        key = key_of_numbers(config.digest_sign_n_hex, config.digest_sign_e_hex);
    }
    if (!key) return bad_key(config, "the digest_sign key cannot be read");
    if (EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_RSA || EVP_PKEY_get_bits(key.get()) < 2048)
        return bad_key(config, "the digest_sign key is not RSA with at least 2048 bits");
    return key;
}

Result<void> verify_digest_sign(const SignKey& key, DigestSignMode mode, const std::string& digest_raw,
                                const std::string& signature_base64) {
    const Error invalid{ErrorCode::signature_invalid,
                        "the cloud's signature (digestsign) does not fit the file",
                        "check the product's key in [[cloud]], then upload the package again"};
    const std::string signature = decode_base64(signature_base64);
    if (signature.empty()) return invalid;
    std::array<unsigned char, SHA256_DIGEST_LENGTH> hash{};
    if (mode == DigestSignMode::digest) {
        if (digest_raw.size() != 16 && digest_raw.size() != hash.size()) return invalid;
        SHA256(reinterpret_cast<const unsigned char*>(digest_raw.data()), digest_raw.size(), hash.data());
    } else {
        if (digest_raw.size() != hash.size()) return invalid;
        std::copy(digest_raw.begin(), digest_raw.end(), hash.begin());
    }
    const Context context(EVP_PKEY_CTX_new(key.get(), nullptr));
    const bool fits = context && EVP_PKEY_verify_init(context.get()) == 1 &&
                      EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PADDING) == 1 &&
                      EVP_PKEY_CTX_set_signature_md(context.get(), EVP_sha256()) == 1 &&
                      EVP_PKEY_verify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()),
                                      signature.size(), hash.data(), hash.size()) == 1;
    ERR_clear_error();
    if (!fits) return invalid;
    return {};
}

}  // namespace mcuota::cloud::aliyun
