#pragma once
// What a bare delta says about itself before it is applied.

#include <cstdint>
#include <optional>
#include <span>

#include "mcu_flasher/package/delta/delta.hpp"

namespace mcuota::package {

struct DeltaHead {
    delta::Format format{delta::Format::relocated};
    std::uint32_t new_bytes{0};
    std::uint32_t old_bytes{0};
    std::uint32_t memory_bytes{0};  ///< what decoding takes; 0 when the rest of the head makes no sense
};

/// Nothing when `delta` is in none of the formats, or its head is cut or tells impossible sizes.
[[nodiscard]] std::optional<DeltaHead> delta_head(std::span<const std::uint8_t> delta);

}  // namespace mcuota::package
