// Signature checks on BearSSL's 31-bit integer code (Cortex-M4 has a fast 32x32 multiply). Lengths and the
// range of r and s are checked here, before the library sees the input.

#include "mcu_loader/core/signature.hpp"
#include "mcu_loader/core/every.hpp"

#include <bearssl_ec.h>
#include <bearssl_rsa.h>

#include <algorithm>
#include <array>

namespace mcuota {
namespace {

constexpr std::size_t kP256PointBytes = 65;
constexpr std::size_t kP256ScalarBytes = 32;
constexpr std::size_t kRsaBytes = 256;

/// Order of the P-256 group (SEC 2, 2.4.2), big-endian.
constexpr std::array<std::uint8_t, kP256ScalarBytes> kP256Order = {
    0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
    0xBC, 0xE6, 0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51};

/// DER of the DigestInfo in front of a SHA-256 digest (RFC 8017 §9.2, note 1).
constexpr std::array<std::uint8_t, 19> kDigestInfo = {0x30, 0x31, 0x30, 0x0D, 0x06, 0x09, 0x60,
                                                      0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
                                                      0x01, 0x05, 0x00, 0x04, 0x20};

/// Whether 1 <= scalar < order, as ECDSA demands of r and s. Public values: no need for constant time.
bool in_range(std::span<const std::uint8_t> scalar) noexcept {
    const bool zero = every_byte_is(scalar, 0);
    return !zero &&
           std::lexicographical_compare(scalar.begin(), scalar.end(), kP256Order.begin(), kP256Order.end());
}

bool verify_ecdsa(std::span<const std::uint8_t> point, const Sha256Digest& digest,
                  std::span<const std::uint8_t> signature) noexcept {
    if (point.size() != kP256PointBytes || point[0] != 0x04) return false;
    if (signature.size() != 2 * kP256ScalarBytes) return false;
    if (!in_range(signature.first(kP256ScalarBytes)) || !in_range(signature.last(kP256ScalarBytes)))
        return false;
    // The library's key type is not const, but verification only reads it.
    const br_ec_public_key key{BR_EC_secp256r1, const_cast<unsigned char*>(point.data()), point.size()};
    return br_ecdsa_i31_vrfy_raw(&br_ec_p256_m31, digest.data(), digest.size(), &key, signature.data(),
                                 signature.size()) == 1;
}

bool verify_rsa(std::span<const std::uint8_t> modulus, const Sha256Digest& digest,
                std::span<const std::uint8_t> signature) noexcept {
    if (modulus.size() != kRsaBytes || signature.size() != kRsaBytes) return false;
    // 2048 bits, not fewer, and odd: anything else is no RSA-2048 modulus.
    if ((modulus.front() & 0x80U) == 0 || (modulus.back() & 1U) == 0) return false;
    std::array<unsigned char, 3> exponent = {0x01, 0x00, 0x01};
    const br_rsa_public_key key{const_cast<unsigned char*>(modulus.data()), modulus.size(), exponent.data(),
                                exponent.size()};
    std::array<std::uint8_t, kRsaBytes> block{};
    std::copy(signature.begin(), signature.end(), block.begin());
    // Answers 0 for a signature that is not below the modulus.
    if (br_rsa_i31_public(block.data(), block.size(), &key) != 1) return false;
    // The block is compared with the only one that is right (RFC 8017 §9.2): nothing in it is parsed, so no
    // other padding, parameters or trailing bytes can pass.
    const std::span<const std::uint8_t> all(block), text = all.last(kDigestInfo.size() + digest.size());
    const auto padding = all.first(all.size() - text.size()).subspan(2);
    return all[0] == 0 && all[1] == 1 && padding.back() == 0 &&
           every_byte_is(padding.first(padding.size() - 1), 0xFF) &&
           std::equal(kDigestInfo.begin(), kDigestInfo.end(), text.begin()) &&
           std::equal(digest.begin(), digest.end(), text.last(digest.size()).begin());
}

}  // namespace

Status verify_signature(const PublicKey& key, std::span<const std::uint8_t> message,
                        std::span<const std::uint8_t> signature) noexcept {
    const Sha256Digest digest = sha256(message);
    bool good = false;
    switch (key.algorithm) {
        case SignatureAlgorithm::ecdsa_p256_sha256:
            good = verify_ecdsa(key.bytes, digest, signature);
            break;
        case SignatureAlgorithm::rsa_2048_pkcs1_sha256:
            good = verify_rsa(key.bytes, digest, signature);
            break;
    }
    return good ? Status::ok : Status::signature_invalid;
}

Status verify_manifest(std::span<const PublicKey> keys, const Manifest& manifest,
                       std::span<const std::uint8_t> manifest_bytes,
                       std::span<const std::uint8_t> signature) noexcept {
    for (const PublicKey& key : keys) {
        if (key.id == manifest.key_id) {
            return key.algorithm == manifest.algorithm ? verify_signature(key, manifest_bytes, signature)
                                                       : Status::algorithm_unsupported;
        }
    }
    return Status::key_unknown;
}

}  // namespace mcuota
