// The loader's signature checks against signatures made by OpenSSL, and against everything that is not one.
#include "mcu_loader/core/signature.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <vector>

#include "mcu_flasher/package/openssl_key.hpp"

using namespace mcuota;
using package::OpensslKey;

namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr SignatureAlgorithm kBoth[] = {SignatureAlgorithm::ecdsa_p256_sha256,
                                        SignatureAlgorithm::rsa_2048_pkcs1_sha256};

/// A key pair with the form the loader holds.
struct Pair {
    explicit Pair(SignatureAlgorithm algorithm)
        : key(*OpensslKey::generate(algorithm)), bytes(*key.loader_bytes()) {}
    [[nodiscard]] PublicKey loader() const { return {key.algorithm(), key.id(), bytes}; }
    OpensslKey key;
    Bytes bytes;
};

const Pair& pair_of(SignatureAlgorithm algorithm) {
    static const Pair ecdsa(SignatureAlgorithm::ecdsa_p256_sha256);
    static const Pair rsa(SignatureAlgorithm::rsa_2048_pkcs1_sha256);
    return algorithm == SignatureAlgorithm::ecdsa_p256_sha256 ? ecdsa : rsa;
}

Bytes message_of(std::size_t size) {
    std::mt19937 random(static_cast<unsigned>(size));
    Bytes out(size);
    for (auto& byte : out)
        byte = static_cast<std::uint8_t>(random());
    return out;
}

}  // namespace

TEST_CASE("signatures made by OpenSSL are accepted", "[core][signature]") {
    for (const SignatureAlgorithm algorithm : kBoth) {
        const Pair& pair = pair_of(algorithm);
        for (const std::size_t size : {0U, 1U, 55U, 64U, 300U, 2048U}) {
            for (int round = 0; round < 5; ++round) {  // ECDSA signatures differ each time
                const Bytes message = message_of(size);
                const Bytes signature = *pair.key.sign(message);
                REQUIRE(verify_signature(pair.loader(), message, signature) == Status::ok);
            }
        }
    }
}

TEST_CASE("every changed byte of message or signature is refused", "[core][signature]") {
    for (const SignatureAlgorithm algorithm : kBoth) {
        const Pair& pair = pair_of(algorithm);
        const Bytes message = message_of(100);
        const Bytes signature = *pair.key.sign(message);
        for (std::size_t at = 0; at < signature.size(); ++at) {
            Bytes changed = signature;
            changed[at] ^= static_cast<std::uint8_t>(1U << (at % 8));
            REQUIRE(verify_signature(pair.loader(), message, changed) == Status::signature_invalid);
        }
        for (std::size_t at = 0; at < message.size(); ++at) {
            Bytes changed = message;
            changed[at] ^= 0x80;
            REQUIRE(verify_signature(pair.loader(), changed, signature) == Status::signature_invalid);
        }
    }
}

TEST_CASE("signatures of any other length are refused", "[core][signature]") {
    for (const SignatureAlgorithm algorithm : kBoth) {
        const Pair& pair = pair_of(algorithm);
        const Bytes message = message_of(10);
        const Bytes signature = *pair.key.sign(message);
        for (std::size_t size = 0; size < 2 * signature.size(); ++size) {
            if (size == signature.size()) continue;
            Bytes changed = signature;
            changed.resize(size);
            REQUIRE(verify_signature(pair.loader(), message, changed) == Status::signature_invalid);
            changed.insert(changed.begin(), 0);  // padded in front
            if (changed.size() == signature.size()) continue;
            REQUIRE(verify_signature(pair.loader(), message, changed) == Status::signature_invalid);
        }
    }
}

TEST_CASE("r and s outside 1 to n-1 are refused", "[core][signature]") {
    const Pair& pair = pair_of(SignatureAlgorithm::ecdsa_p256_sha256);
    const Bytes message = message_of(10);
    const Bytes good = *pair.key.sign(message);
    const Bytes order = {0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF,
                         0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xBC, 0xE6, 0xFA, 0xAD, 0xA7, 0x17,
                         0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51};
    Bytes above = order;
    ++above.back();
    const Bytes values[] = {Bytes(32, 0), order, above, Bytes(32, 0xFF)};
    for (const Bytes& value : values) {
        for (const std::size_t half : {0U, 32U}) {
            Bytes changed = good;
            std::copy(value.begin(), value.end(), changed.begin() + static_cast<std::ptrdiff_t>(half));
            CHECK(verify_signature(pair.loader(), message, changed) == Status::signature_invalid);
        }
        Bytes both = value;
        both.insert(both.end(), value.begin(), value.end());
        CHECK(verify_signature(pair.loader(), message, both) == Status::signature_invalid);
    }
}

TEST_CASE("random signatures are refused", "[core][signature]") {
    std::mt19937 random(11);
    for (const SignatureAlgorithm algorithm : kBoth) {
        const Pair& pair = pair_of(algorithm);
        const std::size_t size = pair.key.sign(message_of(1))->size();
        for (int round = 0; round < 50; ++round) {
            Bytes signature(size);
            for (auto& byte : signature)
                byte = static_cast<std::uint8_t>(random());
            REQUIRE(verify_signature(pair.loader(), message_of(1), signature) == Status::signature_invalid);
        }
        CHECK(verify_signature(pair.loader(), message_of(1), Bytes(size, 0)) == Status::signature_invalid);
        CHECK(verify_signature(pair.loader(), message_of(1), Bytes(size, 0xFF)) == Status::signature_invalid);
    }
}

TEST_CASE("keys that are none verify nothing", "[core][signature]") {
    for (const SignatureAlgorithm algorithm : kBoth) {
        const Pair& pair = pair_of(algorithm);
        const Bytes message = message_of(10);
        const Bytes signature = *pair.key.sign(message);
        Bytes shorter = pair.bytes;
        shorter.pop_back();
        Bytes longer = pair.bytes;
        longer.push_back(0);
        Bytes changed = pair.bytes;
        changed[40] ^= 1;  // a point off the curve; another modulus
        const Bytes zeros(pair.bytes.size(), 0);
        Bytes compressed = pair.bytes;
        compressed[0] = 0x02;
        for (const Bytes& bytes : {Bytes{}, shorter, longer, changed, zeros, compressed}) {
            const PublicKey key{algorithm, pair.key.id(), bytes};
            CHECK(verify_signature(key, message, signature) == Status::signature_invalid);
        }
        const PublicKey unknown{static_cast<SignatureAlgorithm>(9), pair.key.id(), pair.bytes};
        CHECK(verify_signature(unknown, message, signature) == Status::signature_invalid);
        const SignatureAlgorithm other = algorithm == kBoth[0] ? kBoth[1] : kBoth[0];
        CHECK(verify_signature(pair_of(other).loader(), message, signature) == Status::signature_invalid);
    }
}

TEST_CASE("a manifest is verified with the key it names, and only with it", "[core][signature]") {
    const Pair& ecdsa = pair_of(SignatureAlgorithm::ecdsa_p256_sha256);
    const Pair& rsa = pair_of(SignatureAlgorithm::rsa_2048_pkcs1_sha256);
    const Pair stranger(SignatureAlgorithm::ecdsa_p256_sha256);
    const PublicKey keys[] = {rsa.loader(), ecdsa.loader()};
    const Bytes message = message_of(200);
    const Bytes signature = *ecdsa.key.sign(message);

    Manifest manifest;
    manifest.algorithm = SignatureAlgorithm::ecdsa_p256_sha256;
    manifest.key_id = ecdsa.key.id();
    CHECK(verify_manifest(keys, manifest, message, signature) == Status::ok);
    CHECK(verify_manifest(keys, manifest, message, *stranger.key.sign(message)) == Status::signature_invalid);
    CHECK(verify_manifest({}, manifest, message, signature) == Status::key_unknown);

    manifest.key_id = stranger.key.id();
    CHECK(verify_manifest(keys, manifest, message, *stranger.key.sign(message)) == Status::key_unknown);

    manifest.key_id = rsa.key.id();
    CHECK(verify_manifest(keys, manifest, message, *rsa.key.sign(message)) == Status::algorithm_unsupported);
    manifest.algorithm = SignatureAlgorithm::rsa_2048_pkcs1_sha256;
    CHECK(verify_manifest(keys, manifest, message, *rsa.key.sign(message)) == Status::ok);
}
