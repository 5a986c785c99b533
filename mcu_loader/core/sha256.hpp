#pragma once
// SHA-256 (FIPS 180-4) without heap, the same code on the MCU and on the host (BearSSL underneath).

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace mcuota {

using Sha256Digest = std::array<std::uint8_t, 32>;

/// Running SHA-256. Copyable: a copy continues on its own.
class Sha256 {
  public:
    Sha256() noexcept;
    void update(std::span<const std::uint8_t> bytes) noexcept;
    /// Digest of everything so far; the running state stays usable.
    [[nodiscard]] Sha256Digest digest() const noexcept;

  private:
    alignas(8) std::array<std::uint8_t, 128> context_;  ///< br_sha256_context; size asserted in sha256.cpp
};

[[nodiscard]] Sha256Digest sha256(std::span<const std::uint8_t> bytes) noexcept;

}  // namespace mcuota
