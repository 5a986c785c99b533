// The rotation record's one valid byte form, and the key ids it needs.

#include "mcu_loader/core/rotation.hpp"

#include <algorithm>
#include <array>

#include "mcu_loader/core/little_endian.hpp"

namespace mcuota {
namespace {

constexpr std::array<std::uint8_t, 4> kMagic = {0x4D, 0x43, 0x4B, 0x31};  // "MCK1"
constexpr std::size_t kP256PointBytes = 65;
constexpr std::size_t kRsaModulusBytes = 256;
constexpr std::size_t kEcdsaSignatureBytes = 64;
constexpr std::size_t kRsaSignatureBytes = 256;

/// What stands around the key in its DER SubjectPublicKeyInfo: RFC 5480 (P-256, uncompressed point) and RFC
/// 8017 (a modulus of 2048 bits, exponent 65537).
constexpr std::array<std::uint8_t, 26> kP256Lead = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48,
                                                    0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86, 0x48,
                                                    0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
constexpr std::array<std::uint8_t, 33> kRsaLead = {
    0x30, 0x82, 0x01, 0x22, 0x30, 0x0D, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01,
    0x05, 0x00, 0x03, 0x82, 0x01, 0x0F, 0x00, 0x30, 0x82, 0x01, 0x0A, 0x02, 0x82, 0x01, 0x01, 0x00};
constexpr std::array<std::uint8_t, 5> kRsaTail = {0x02, 0x03, 0x01, 0x00, 0x01};

bool valid_signature_size(std::size_t bytes) noexcept {
    return bytes == kEcdsaSignatureBytes || bytes == kRsaSignatureBytes;
}

}  // namespace

bool valid_key_form(SignatureAlgorithm algorithm, std::span<const std::uint8_t> key) noexcept {
    switch (algorithm) {
        case SignatureAlgorithm::ecdsa_p256_sha256:
            return key.size() == kP256PointBytes && key.front() == 0x04;
        case SignatureAlgorithm::rsa_2048_pkcs1_sha256:
            return key.size() == kRsaModulusBytes && (key.front() & 0x80U) != 0 && (key.back() & 1U) != 0;
    }
    return false;
}

KeyId key_id_of(SignatureAlgorithm algorithm, std::span<const std::uint8_t> key) noexcept {
    Sha256 hash;
    if (algorithm == SignatureAlgorithm::ecdsa_p256_sha256) {
        hash.update(kP256Lead);
        hash.update(key);
    } else {
        hash.update(kRsaLead);
        hash.update(key);
        hash.update(kRsaTail);
    }
    const Sha256Digest digest = hash.digest();
    KeyId id;
    std::copy_n(digest.begin(), id.size(), id.begin());
    return id;
}

std::size_t rotation_size(std::span<const std::uint8_t> bytes) noexcept {
    if (bytes.size() < kRotationHeadBytes || !std::equal(kMagic.begin(), kMagic.end(), bytes.begin())) {
        return 0;
    }
    const std::size_t size = load_u16(&bytes[4]);
    return size >= kRotationHeadBytes && size <= bytes.size() ? size : 0;
}

Status parse_rotation(std::span<const std::uint8_t> bytes, RotationRecord& out) noexcept {
    out = RotationRecord{};
    if (rotation_size(bytes) != bytes.size() || bytes.empty()) {
        return Status::malformed_request;
    }
    out.generation = load_u16(&bytes[6]);
    out.algorithm = static_cast<SignatureAlgorithm>(bytes[8]);
    const bool reserved_clear = bytes[9] == 0 && bytes[10] == 0 && bytes[11] == 0;
    std::copy_n(bytes.begin() + 12, out.signer.size(), out.signer.begin());
    const std::size_t key_bytes =
        out.algorithm == SignatureAlgorithm::rsa_2048_pkcs1_sha256 ? kRsaModulusBytes : kP256PointBytes;
    const std::size_t signed_bytes = kRotationHeadBytes + key_bytes;
    if (!reserved_clear || out.generation == 0 || out.generation > kRotationsMax ||
        bytes.size() < signed_bytes || !valid_signature_size(bytes.size() - signed_bytes)) {
        return Status::malformed_request;
    }
    out.next_key = bytes.subspan(kRotationHeadBytes, key_bytes);
    out.signed_bytes = bytes.first(signed_bytes);
    out.signature = bytes.subspan(signed_bytes);
    return valid_key_form(out.algorithm, out.next_key) ? Status::ok : Status::malformed_request;
}

std::size_t encode_rotation(const RotationRecord& record, std::size_t signature_bytes,
                            std::span<std::uint8_t> out) noexcept {
    if (record.generation == 0 || record.generation > kRotationsMax ||
        !valid_signature_size(signature_bytes) || !valid_key_form(record.algorithm, record.next_key)) {
        return 0;
    }
    const std::size_t signed_bytes = kRotationHeadBytes + record.next_key.size();
    if (out.size() < signed_bytes) {
        return 0;
    }
    std::copy(kMagic.begin(), kMagic.end(), out.begin());
    store_u16(&out[4], static_cast<std::uint32_t>(signed_bytes + signature_bytes));
    store_u16(&out[6], record.generation);
    out[8] = static_cast<std::uint8_t>(record.algorithm);
    std::fill_n(out.begin() + 9, 3, std::uint8_t{0});
    std::copy(record.signer.begin(), record.signer.end(), out.begin() + 12);
    std::copy(record.next_key.begin(), record.next_key.end(), out.begin() + kRotationHeadBytes);
    return signed_bytes;
}

Status verify_rotation(const RotationRecord& record, const PublicKey& signer) noexcept {
    if (record.signer != signer.id) {
        return Status::key_unknown;
    }
    return verify_signature(signer, record.signed_bytes, record.signature);
}

}  // namespace mcuota
