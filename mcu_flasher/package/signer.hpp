#pragma once
// Who signs manifests. An interface, because a release key may live in a token that only answers "sign this".

#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "mcu_flasher/base/result.hpp"
#include "mcu_flasher/package/openssl_key.hpp"

namespace mcuota::package {

/// Signs manifests with one key.
class Signer {
  public:
    virtual ~Signer() = default;
    [[nodiscard]] virtual SignatureAlgorithm algorithm() const = 0;
    [[nodiscard]] virtual KeyId key_id() const = 0;
    /// Signature over `message` in the form of docs/package-format.md §2.
    [[nodiscard]] virtual Result<std::vector<std::uint8_t>> sign(
        std::span<const std::uint8_t> message) const = 0;
};

/// A private key in memory.
class KeySigner final : public Signer {
  public:
    explicit KeySigner(OpensslKey key) : key_(std::move(key)) {}
    /// From a PEM file: key_unreadable, not_found or file_unreadable.
    [[nodiscard]] static Result<std::unique_ptr<Signer>> from_file(const std::filesystem::path& pem_file);

    [[nodiscard]] SignatureAlgorithm algorithm() const override { return key_.algorithm(); }
    [[nodiscard]] KeyId key_id() const override { return key_.id(); }
    [[nodiscard]] Result<std::vector<std::uint8_t>> sign(
        std::span<const std::uint8_t> message) const override {
        return key_.sign(message);
    }

  private:
    OpensslKey key_;
};

}  // namespace mcuota::package
