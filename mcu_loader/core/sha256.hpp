#pragma once
// SHA-256 (FIPS 180-4) without heap, the same code on the MCU and on the host.

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
    std::array<std::uint32_t, 8> state_;
    std::array<std::uint8_t, 64> block_{};  ///< the first bytes_ % 64 wait for the rest of their block
    std::uint64_t bytes_{0};
};

[[nodiscard]] Sha256Digest sha256(std::span<const std::uint8_t> bytes) noexcept;

}  // namespace mcuota
