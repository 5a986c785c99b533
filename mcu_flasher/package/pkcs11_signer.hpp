#pragma once
// Signs with a key that never leaves its token (HSM, smart card, SoftHSM) through PKCS#11.

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "mcu_flasher/base/result.hpp"
#include "mcu_flasher/package/signer.hpp"

namespace mcuota::package {

/// A private key in a token, logged in to as long as the signer lives.
class Pkcs11Signer final : public Signer {
  public:
    /// Opens the one private key that `uri` (RFC 7512) names. The module is the URI's module-path, else any
    /// that p11-kit knows. `pin` is used when the URI has neither pin-value nor pin-source. Errors:
    /// key_unreadable (bad URI, no PIN, wrong PIN, several tokens or keys fit, key of another type),
    /// not_found.
    [[nodiscard]] static Result<std::unique_ptr<Pkcs11Signer>> open(const std::string& uri,
                                                                    const std::string& pin);
    Pkcs11Signer(const Pkcs11Signer&) = delete;
    Pkcs11Signer& operator=(const Pkcs11Signer&) = delete;
    ~Pkcs11Signer() override;

    [[nodiscard]] SignatureAlgorithm algorithm() const override;
    [[nodiscard]] KeyId key_id() const override;
    /// The token's signature, checked with the public key before it is given out.
    [[nodiscard]] Result<std::vector<std::uint8_t>> sign(
        std::span<const std::uint8_t> message) const override;
    /// The public half.
    [[nodiscard]] const OpensslKey& public_key() const noexcept;

  private:
    struct Impl;
    explicit Pkcs11Signer(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace mcuota::package
