// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// SHA-256 (FIPS 180-4) and CRC-32 (IEEE 802.3): the prover's own, independent of the loader it examines.

#include <array>
#include <cstdint>
#include <span>

namespace mcuota::board {

using Digest = std::array<std::uint8_t, 32>;
[[nodiscard]] Digest sha256(std::span<const std::uint8_t> bytes);
/// One round of it: 64 bytes of `block` into `state`.
void sha256_compress(std::array<std::uint32_t, 8>& state, const std::uint8_t* block);
[[nodiscard]] std::uint32_t crc32(std::span<const std::uint8_t> bytes);

}  // namespace mcuota::board
