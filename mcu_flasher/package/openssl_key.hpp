#pragma once
// P-256 and RSA-2048 keys through OpenSSL: reading and writing PEM, key ids, signing and verifying in the
// package's own signature forms (docs/package-format.md §2). Other keys are refused.

#include <openssl/evp.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mcu_flasher/base/result.hpp"
#include "mcu_loader/core/manifest.hpp"

namespace mcuota::package {

struct FreePkey {
    void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
};

/// A key of one of the two known types, with or without its private half.
class OpensslKey {
  public:
    /// A fresh key pair from the system's random source.
    [[nodiscard]] static Result<OpensslKey> generate(SignatureAlgorithm algorithm);
    /// PEM text of a private key without passphrase. `origin` (a file name) stands in error messages.
    /// key_unreadable.
    [[nodiscard]] static Result<OpensslKey> from_private_pem(std::string_view pem, std::string_view origin);
    /// PEM text of a public key ("BEGIN PUBLIC KEY"). Private keys are refused: they have no place on a
    /// gateway.
    [[nodiscard]] static Result<OpensslKey> from_public_pem(std::string_view pem, std::string_view origin);
    /// DER SubjectPublicKeyInfo.
    [[nodiscard]] static Result<OpensslKey> from_public_der(std::span<const std::uint8_t> der);

    /// The form the loader uses (loader_bytes()). key_unreadable when it is no key.
    [[nodiscard]] static Result<OpensslKey> from_loader_bytes(SignatureAlgorithm algorithm,
                                                              std::span<const std::uint8_t> bytes);

    [[nodiscard]] SignatureAlgorithm algorithm() const noexcept { return algorithm_; }
    [[nodiscard]] const KeyId& id() const noexcept { return id_; }
    /// DER SubjectPublicKeyInfo.
    [[nodiscard]] const std::vector<std::uint8_t>& public_der() const noexcept { return public_der_; }
    /// The form the loader uses (PublicKey::bytes): 65-byte point or 256-byte modulus.
    [[nodiscard]] Result<std::vector<std::uint8_t>> loader_bytes() const;

    [[nodiscard]] Result<std::string> private_pem() const;  ///< PKCS#8, not encrypted
    [[nodiscard]] Result<std::string> public_pem() const;

    /// Signature over SHA-256 of `message`: r||s or PKCS#1 v1.5. Needs the private half.
    [[nodiscard]] Result<std::vector<std::uint8_t>> sign(std::span<const std::uint8_t> message) const;
    [[nodiscard]] bool verify(std::span<const std::uint8_t> message,
                              std::span<const std::uint8_t> signature) const;

  private:
    using Pkey = std::unique_ptr<EVP_PKEY, FreePkey>;
    [[nodiscard]] static Result<OpensslKey> adopt(Pkey key, std::string_view origin);

    OpensslKey(Pkey key, SignatureAlgorithm algorithm, std::vector<std::uint8_t> public_der, KeyId id)
        : key_(std::move(key)), algorithm_(algorithm), public_der_(std::move(public_der)), id_(id) {}

    Pkey key_;
    SignatureAlgorithm algorithm_;
    std::vector<std::uint8_t> public_der_;
    KeyId id_;
};

/// "ecdsa-p256" or "rsa-2048".
[[nodiscard]] std::string_view to_string(SignatureAlgorithm algorithm) noexcept;

}  // namespace mcuota::package
