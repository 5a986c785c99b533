#pragma once
// Key rotation records (docs/package-format.md §6): a signed statement that makes a loader's next key its
// current one and brings a new next key. Pure: storing them is device/key_chain.hpp. Freestanding.

#include <cstddef>
#include <cstdint>
#include <span>

#include "mcu_loader/core/signature.hpp"

namespace mcuota {

constexpr std::uint16_t kRotationsMax = 8;  ///< highest generation; how often a device's keys can rotate
constexpr std::size_t kRotationHeadBytes = 20;
constexpr std::size_t kPublicKeyBytesMax = 256;
constexpr std::size_t kRotationBytesMax = kRotationHeadBytes + kPublicKeyBytesMax + kSignatureBytesMax;

/// A record, decoded. The spans point into the bytes it was parsed from.
struct RotationRecord {
    std::uint16_t generation{0};  ///< in force after it: 1 … kRotationsMax
    SignatureAlgorithm algorithm{SignatureAlgorithm::ecdsa_p256_sha256};  ///< of the new next key
    KeyId signer{};                              ///< the key that signs: next of the generation before
    std::span<const std::uint8_t> next_key;      ///< new next key, in the form of PublicKey::bytes
    std::span<const std::uint8_t> signature;     ///< by `signer`, of everything before it
    std::span<const std::uint8_t> signed_bytes;  ///< everything before the signature
    [[nodiscard]] std::size_t size_bytes() const noexcept { return signed_bytes.size() + signature.size(); }
};

/// Decodes one record that fills `bytes` exactly. malformed_request for whatever is none: other magic or
/// size, generation outside 1…8, unknown algorithm, reserved bytes set, a key that cannot be one of its
/// algorithm.
[[nodiscard]] Status parse_rotation(std::span<const std::uint8_t> bytes, RotationRecord& out) noexcept;

/// Size in bytes of the record that begins here (its size field), so that records back to back can be taken
/// apart; 0 when no record begins here or it is longer than `bytes`. Says nothing about the rest of its form.
[[nodiscard]] std::size_t rotation_size(std::span<const std::uint8_t> bytes) noexcept;

/// Writes the part of a record that is signed: `record` without signature, for a signature of
/// `signature_bytes` (64 or 256), which then follows it. Returns its bytes; 0 when `out` is too small or the
/// record cannot be expressed. `signed_bytes` and `signature` of `record` are not looked at.
[[nodiscard]] std::size_t encode_rotation(const RotationRecord& record, std::size_t signature_bytes,
                                          std::span<std::uint8_t> out) noexcept;

/// Whether `signer` made this record. ok, key_unknown (the record names another key) or signature_invalid.
[[nodiscard]] Status verify_rotation(const RotationRecord& record, const PublicKey& signer) noexcept;

/// Whether `key` has length and form of a public key of `algorithm` (what it takes to be one on the curve or
/// a product of two primes is not looked at).
[[nodiscard]] bool valid_key_form(SignatureAlgorithm algorithm, std::span<const std::uint8_t> key) noexcept;

/// Key id of a public key in the form of PublicKey::bytes: the first 8 bytes of SHA-256 over its DER
/// SubjectPublicKeyInfo. `key` must have valid_key_form().
[[nodiscard]] KeyId key_id_of(SignatureAlgorithm algorithm, std::span<const std::uint8_t> key) noexcept;

}  // namespace mcuota
