#pragma once
// Makes HDiffPatch deltas, readable by that project's own patcher and by the loader (docs/deltas.md). They
// are not decoded and compared here: delta.hpp does that for all formats.

#include <cstdint>
#include <span>
#include <vector>

#include "mcu_flasher/base/result.hpp"

namespace mcuota::delta {

/// `HDIFFSF20`: one LZMA stream in steps. The decoder needs at most `memory_bytes_max` (48 KiB in the
/// loader).
[[nodiscard]] Result<std::vector<std::uint8_t>> encode_hdiffsf20(std::span<const std::uint8_t> old_image,
                                                                 std::span<const std::uint8_t> new_image,
                                                                 std::uint32_t memory_bytes_max);

/// `HDIFF13`: four LZMA sections, decoded side by side; together they need at most `memory_bytes_max`.
[[nodiscard]] Result<std::vector<std::uint8_t>> encode_hdiff13(std::span<const std::uint8_t> old_image,
                                                               std::span<const std::uint8_t> new_image,
                                                               std::uint32_t memory_bytes_max);

}  // namespace mcuota::delta
