#pragma once
// One section of an HDiffPatch delta: LZMA in that tool's framing, or raw where that is smaller.

#include <cstdint>
#include <span>
#include <vector>

#include "mcu_flasher/base/result.hpp"

namespace mcuota::delta {

struct PackedSection {
    std::vector<std::uint8_t> stored;  ///< what goes into the file
    bool packed{false};                ///< false: `stored` is the plain bytes
};

/// Packs `plain` so that its decoder needs at most `memory_bytes_max`: lc and dictionary are chosen for it,
/// lp and pb are 0 (deltas have no alignment). Deterministic for one version of liblzma. Error: `internal`
/// when liblzma refuses.
[[nodiscard]] Result<PackedSection> pack_section(std::span<const std::uint8_t> plain,
                                                 std::uint32_t memory_bytes_max);

}  // namespace mcuota::delta
