// Aliyun's secure upgrade against a fixed vector: throwaway key, both digests of one file, both signatures.
#include "daemon/cloud/aliyun_digest_sign.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <catch2/catch.hpp>
#include <vector>

#include "daemon/cloud/cloud_factory.hpp"

using namespace mcuota;
using namespace mcuota::cloud;
using namespace mcuota::cloud::aliyun;

namespace {

const std::string kModulus =
    "9dfbe7d62298f26e9bc568e3451dc88c79c3425ab8164b3adaa63ef0814c65dec6446aa51a3593db1cf95cc74d168160"
    "d11e5911f0a6a11c2106c4cbbb65666deacabc159355dceeeaf9c77503c671622819aaaba76c85123caeb3251e16ba7d"
    "53fe60c3f88c030c4e131d225fc7e9f55c8ac84500ced249b6d0808bd51101f322f392e270e5adbd4c48fdb6f79bcf48"
    "739650bdde13c3acfc4adde8a8417e137951f51a13386bf39014014490314494e059f422d0b9869a1c1c673897a94fe1"
    "0f692259fe583d4e01a405da3a4563baa5f6c46bcb6b98dcbbf1d070dab48e83a2f715fa9b874852c7d83b26bf04e310"
    "a90804d3e217b38836bf31c3a7e799d7";
const std::string kSignedSha256 =
    "QzolahGSTCVSwWBfC5wbGTJ2jVeacALC/S6xrjbo4fNS1zPhaPuKRubOdJ/xgy7qScggWbbzxzLoKHb4bJwK0yHzKYHt8IcT"
    "/uShi9qk7XsKPKc6eCffW0mXAoZ3XNMYJNA69pzzyjvBxTXx0/ofKXOCCRBOadeQtBlBrWLE0XhHV/+/8tqKnrrjHMS4h/zD"
    "qnkJdqcKo0PK9GwiFImKoYNosIdEQ4QCFg/VeZ9XtJXN4syG5EJr3gwz5khV+ZtpbCB6tsrthEsEDym5wkrdiUmWWj1mh++W"
    "I3+8nCAHTu9OJRvAozwjeVxBxfGre6BdbZUy6Rlw8RsT3fKVkZ9eSg==";
const std::string kSignedMd5 =
    "Iz7oXwpLYzKopOIHu2wfwREeTtiz5tjJW2EKfwfzKcIyH4cG8OKHSc//XRVIqcgRWUpsqzI1v3c/RFELhbGlFGZzQovUjSyJ"
    "yVw86Z+Wz7ZjVFgy2C8TROU6Y0O5v7n63hzcUG89yU7cgPJur2J022ka8BxW1Tme4CUUGxCJUnmiIOEq6MA8g4Hhk7vs9Tjs"
    "YNOCSysu2x0oL52DOhDPGESCAiSiPKUIwtEUQQ68YJlY1DEERnw5f5nsvh09mBWSY+HNu2XMj8rb3+lAl0Rp2vx5tXBUlV9v"
    "FDaumvB6/CtQb6RmCR04LsCuGwzkizB3PZ1/WRy7v6Eo1GosY77iJw==";

/// The vector's file: one line of text, 32 times.
std::string firmware() {
    std::string out;
    for (int i = 0; i < 32; ++i)
        out += "mcuota demo firmware image v2.0.0\n";
    return out;
}
std::string raw_digest(const EVP_MD* method, const std::string& data) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    EVP_Digest(data.data(), data.size(), digest, &size, method, nullptr);
    return {reinterpret_cast<const char*>(digest), size};
}
CloudConfig vector_config() {
    CloudConfig config;
    config.name = "ali";
    config.digest_sign = DigestSignMode::digest;
    config.digest_sign_n_hex = kModulus;
    return config;
}
bool fits(const CloudConfig& config, DigestKind kind, const std::string& signature, const std::string& file) {
    Offer offer;
    offer.digest_kind = kind;
    offer.digest_sign_base64 = signature;
    const Result<void> checked =
        check_digest_sign(config, offer, raw_digest(EVP_sha256(), file), raw_digest(EVP_md5(), file));
    if (!checked) CHECK(checked.error().code == ErrorCode::signature_invalid);
    return checked.ok();
}

}  // namespace

TEST_CASE("the platform's signature over the digest is accepted, by either method", "[cloud][digestsign]") {
    CHECK(fits(vector_config(), DigestKind::sha256, kSignedSha256, firmware()));
    CHECK(fits(vector_config(), DigestKind::md5, kSignedMd5, firmware()));
}

TEST_CASE("anything else is refused", "[cloud][digestsign]") {
    const CloudConfig config = vector_config();
    CHECK_FALSE(fits(config, DigestKind::sha256, kSignedMd5, firmware()));
    CHECK_FALSE(fits(config, DigestKind::md5, kSignedSha256, firmware()));
    CHECK_FALSE(fits(config, DigestKind::sha256, kSignedSha256, firmware() + "x"));
    std::string flipped = kSignedSha256;
    flipped[10] = flipped[10] == 'A' ? 'B' : 'A';
    CHECK_FALSE(fits(config, DigestKind::sha256, flipped, firmware()));
    const char* garbage = GENERATE("A", "====", "!!!!", "AAAA", "AAAAAAA");
    CHECK_FALSE(fits(config, DigestKind::sha256, garbage, firmware()));
    CloudConfig single = config;
    single.digest_sign = DigestSignMode::file_sha256;
    CHECK_FALSE(fits(single, DigestKind::sha256, kSignedSha256, firmware()));
}

TEST_CASE("an unsigned offer passes unless a signature is required", "[cloud][digestsign]") {
    CloudConfig config = vector_config();
    CHECK(fits(config, DigestKind::sha256, "", firmware()));
    config.require_signature = true;
    CHECK_FALSE(fits(config, DigestKind::sha256, "", firmware()));
    config.digest_sign = DigestSignMode::off;
    CHECK(fits(config, DigestKind::sha256, "nonsense", firmware()));
}

TEST_CASE("the single-hash mode accepts an ordinary signature of the file, with a PEM key",
          "[cloud][digestsign]") {
    EVP_PKEY* key = EVP_RSA_gen(2048);
    REQUIRE(key);
    const std::string file = firmware();
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    std::vector<unsigned char> signature(256);
    std::size_t size = signature.size();
    REQUIRE(EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, key) == 1);
    REQUIRE(EVP_DigestSign(context, signature.data(), &size,
                           reinterpret_cast<const unsigned char*>(file.data()), file.size()) == 1);
    EVP_MD_CTX_free(context);
    std::vector<unsigned char> base64(size * 2);
    const int encoded = EVP_EncodeBlock(base64.data(), signature.data(), static_cast<int>(size));
    BIO* out = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(out, key);
    char* text = nullptr;
    const long length = BIO_get_mem_data(out, &text);
    CloudConfig config = vector_config();
    config.digest_sign = DigestSignMode::file_sha256;
    config.digest_sign_key_pem.assign(text, static_cast<std::size_t>(length));
    BIO_free(out);
    EVP_PKEY_free(key);

    const std::string signed_file(reinterpret_cast<const char*>(base64.data()),
                                  static_cast<std::size_t>(encoded));
    CHECK(fits(config, DigestKind::sha256, signed_file, file));
    CHECK(fits(config, DigestKind::md5, signed_file, file));
    CHECK_FALSE(fits(config, DigestKind::sha256, signed_file, file + "x"));
}

TEST_CASE("keys that are none are refused", "[cloud][digestsign]") {
    CloudConfig config = vector_config();
    config.digest_sign_n_hex =
        GENERATE(std::string{}, std::string(512, '0'), std::string("xyz"), std::string(64, 'f'));
    const auto key = load_sign_key(config);
    REQUIRE_FALSE(key);
    CHECK(key.error().code == ErrorCode::config_invalid);
    config.digest_sign_key_pem = "-----BEGIN PUBLIC KEY-----\nnonsense\n-----END PUBLIC KEY-----\n";
    CHECK_FALSE(load_sign_key(config));
}
