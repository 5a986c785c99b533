#pragma once
// CRC-32 as in IEEE 802.3, zlib and PNG (reflected polynomial EDB88320): frame ends, journal seals, envelope
// heads.

#include <cstdint>
#include <span>

namespace mcuota {

/// CRC-32 of `bytes`. Runs on over several pieces: crc32(b, crc32(a)) is the CRC of a followed by b.
[[nodiscard]] std::uint32_t crc32(std::span<const std::uint8_t> bytes, std::uint32_t seed = 0) noexcept;

}  // namespace mcuota
