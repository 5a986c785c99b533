#pragma once
// Makes relocated deltas (docs/deltas.md): covers, prediction of moved code, coding. They are not decoded and
// compared here: delta.hpp does that for all formats.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "mcu_flasher/base/result.hpp"

namespace mcuota::delta {

/// Load address of images that have none: words of reserved address space are hardly ever met.
constexpr std::uint32_t kNoLoadAddress = 0xE4000000U;

/// A delta that turns `old_image` into `new_image` (not empty). `load_address` is that of both images. The
/// decoder's tables and covers need at most `memory_bytes_max`. Error: memory_budget_exceeded.
[[nodiscard]] Result<std::vector<std::uint8_t>> encode_relocated(std::span<const std::uint8_t> old_image,
                                                                 std::span<const std::uint8_t> new_image,
                                                                 std::optional<std::uint32_t> load_address,
                                                                 std::uint32_t memory_bytes_max);

}  // namespace mcuota::delta
