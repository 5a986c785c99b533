#pragma once
// The ARM-Thumb branch filter (xz filter id 0x08, start offset 0): BL targets as absolute numbers compress
// better, because calls of one function from many places become equal bytes.

#include <cstddef>
#include <cstdint>
#include <span>

namespace mcuota {

enum class ThumbDirection : std::uint8_t { to_absolute, to_relative };  ///< encoding and decoding

/// Filters `bytes` in place; `position` is the offset of bytes[0] from the image's start. Returns how many
/// leading bytes are final. The rest (at most 3 bytes) must be given again in front of what follows; at the
/// image's end it is final as it stands.
[[nodiscard]] std::size_t thumb_filter(std::span<std::uint8_t> bytes, std::uint32_t position,
                                       ThumbDirection direction) noexcept;

}  // namespace mcuota
