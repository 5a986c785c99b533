#pragma once
// Bytes as hexadecimal text, for hashes and ids in messages and JSON.

#include <cstdint>
#include <span>
#include <string>

namespace mcuota {

/// Lower-case hexadecimal, two characters a byte.
[[nodiscard]] std::string to_hex(std::span<const std::uint8_t> bytes);

}  // namespace mcuota
