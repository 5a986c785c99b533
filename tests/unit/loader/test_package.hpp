#pragma once
// Images and signed envelopes for the loader's tests, with every way to make one wrong.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "mcu_loader/core/link/target.hpp"
#include "mcu_loader/core/manifest.hpp"
#include "mcu_loader/core/rotation.hpp"
#include "mcu_loader/core/signature.hpp"

namespace mcuota::test {

using Bytes = std::vector<std::uint8_t>;

constexpr std::uint32_t kLoadAddress = 0x08020000;

/// A key pair made for this run.
class TestKey {
  public:
    explicit TestKey(SignatureAlgorithm algorithm = SignatureAlgorithm::ecdsa_p256_sha256);
    ~TestKey();
    TestKey(const TestKey&) = delete;
    TestKey& operator=(const TestKey&) = delete;
    [[nodiscard]] const PublicKey& public_key() const noexcept { return public_key_; }
    [[nodiscard]] Bytes sign(std::span<const std::uint8_t> message) const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
    Bytes bytes_;
    PublicKey public_key_;
};

/// The key the test devices trust, the one after it, two more after that, and one they do not know.
const TestKey& trusted_key();
const TestKey& next_key();
const TestKey& third_key();
const TestKey& fourth_key();
const TestKey& stranger_key();
/// What the loaders of the test devices are built with: trusted_key(), next_key().
std::span<const PublicKey> built_in_keys();

/// Rotation record of `generation`, made by `signer`, that brings `next`.
Bytes make_rotation(const TestKey& signer, const TestKey& next, std::uint16_t generation);

/// Bytes of an application: usable start vectors, the rest from `seed`.
Bytes make_image(std::size_t size, std::uint32_t seed);

struct PackageSpec {
    Bytes image;
    std::string version{"1.0.0"};
    std::string hardware{"test-board"};
    std::uint32_t security_counter{1};
    std::uint32_t load_address{kLoadAddress};
    PayloadKind kind{PayloadKind::raw};
    bool allow_derived{false};
    Bytes base;     ///< deltas: the image they start from
    Bytes payload;  ///< of these kinds and others made elsewhere; empty: made here from `image` (raw, LZMA)
    const TestKey* key{nullptr};                     ///< null = trusted_key()
    std::function<void(Manifest&)> change_manifest;  ///< before signing
    std::function<void(Bytes&)> change_payload;      ///< before the manifest is made: signed as it is
    std::function<void(Bytes&)> change_signature;    ///< after signing
};

/// What a gateway would send.
struct TestPackage {
    Bytes envelope;
    Sha256Digest package_id{};
    Sha256Digest image_sha256{};
    [[nodiscard]] link::Offer offer(bool restart = false) const;
};

TestPackage make_package(const PackageSpec& spec);

/// LZMA1 payload (5 bytes properties, raw stream) of `image`, made with liblzma; with its ARM-Thumb filter
/// before.
Bytes lzma_payload(const Bytes& image, std::uint32_t dictionary_bytes, bool thumb = false);

}  // namespace mcuota::test
