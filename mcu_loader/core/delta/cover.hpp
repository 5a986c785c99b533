#pragma once
// Covers of a delta and the map they draw: where a place of the old image went in the new one.

#include <cstdint>
#include <span>

namespace mcuota::delta {

/// `length` bytes of new at `new_pos` come from old at `old_pos`. Covers ascend in new_pos and do not overlap
/// there.
struct Cover {
    std::uint32_t old_pos{0};
    std::uint32_t new_pos{0};
    std::uint32_t length{0};
};

/// Answers "where is old offset x in new?" from a list of covers (docs/deltas.md, "Where a target went").
/// Borrows both spans; `order` gets the covers' indices by old position.
class CoverMap {
  public:
    CoverMap() = default;
    CoverMap(std::span<const Cover> covers, std::span<std::uint16_t> order) noexcept;

    /// New offset of old offset `x`: by the longest of the last 8 covers that start at or before x and
    /// contain it, else by the nearest cover before x, else by the first after it. Modulo 2^32; without
    /// covers x itself.
    [[nodiscard]] std::uint32_t map(std::uint32_t x) const noexcept;

  private:
    std::span<const Cover> covers_;
    std::span<const std::uint16_t> order_;
};

}  // namespace mcuota::delta
