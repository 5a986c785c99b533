#pragma once
// The little DER that public test vectors are dressed in: public keys and ECDSA signatures, in their one
// canonical form.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace mcuota::vectors {

using Bytes = std::vector<std::uint8_t>;
using View = std::span<const std::uint8_t>;

/// The loader's form of a SubjectPublicKeyInfo: for P-256 the 65 bytes of an uncompressed point, for RSA-2048
/// with the exponent 65537 the 256 bytes of the modulus. Nothing for any other key, form or length.
[[nodiscard]] std::optional<Bytes> p256_key(View der);
[[nodiscard]] std::optional<Bytes> rsa_2048_key(View der);

/// r and s, 32 bytes each, of SEQUENCE { INTEGER r, INTEGER s }. Only the canonical encoding of positive
/// numbers below 2^256 is accepted: shortest lengths, shortest integers, nothing behind.
[[nodiscard]] std::optional<Bytes> ecdsa_signature(View der);

}  // namespace mcuota::vectors
