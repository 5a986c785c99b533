#pragma once
// Signature checks of the loader: ECDSA P-256 and RSA-2048 PKCS#1 v1.5, both over SHA-256, without heap
// (BearSSL).

#include <cstdint>
#include <span>

#include "mcu_loader/core/manifest.hpp"

namespace mcuota {

/// A trusted public key. `bytes`: P-256 = 65-byte uncompressed point (04 X Y); RSA-2048 = 256-byte modulus,
/// big-endian, exponent 65537. The loader's keys are constants generated from PEM files (mcuota-pack keygen
/// --header).
struct PublicKey {
    SignatureAlgorithm algorithm;
    KeyId id;
    std::span<const std::uint8_t> bytes;
};

/// Whether `signature` over `message` was made by `key`. Answers ok or signature_invalid, for any input.
[[nodiscard]] Status verify_signature(const PublicKey& key, std::span<const std::uint8_t> message,
                                      std::span<const std::uint8_t> signature) noexcept;

/// Finds the manifest's key among `keys` and verifies. ok, key_unknown, algorithm_unsupported or
/// signature_invalid.
[[nodiscard]] Status verify_manifest(std::span<const PublicKey> keys, const Manifest& manifest,
                                     std::span<const std::uint8_t> manifest_bytes,
                                     std::span<const std::uint8_t> signature) noexcept;

}  // namespace mcuota
