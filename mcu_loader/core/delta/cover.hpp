#pragma once
// Covers of a delta and the map they draw: where a place of the old image went in the new one.

#include <array>
#include <cstddef>
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
    CoverMap(std::span<const Cover> covers, std::span<std::uint16_t> order, std::uint32_t old_bytes) noexcept;

    /// New offset of old offset `x`: by the longest of the last 8 covers that start at or before x and
    /// contain it, else by the nearest cover before x, else by the first after it. Modulo 2^32; without
    /// covers x itself.
    [[nodiscard]] std::uint32_t map(std::uint32_t x) const noexcept;

  private:
    /// Old is cut into this many equal pieces; a search begins with the covers of x's piece.
    static constexpr std::size_t kPieces = 128;

    std::span<const Cover> covers_;
    std::span<const std::uint16_t> order_;
    unsigned piece_log2_{0};
    /// By piece: place in `order` of the last cover that starts before the piece, or 0.
    std::array<std::uint16_t, kPieces + 1> first_{};
};

}  // namespace mcuota::delta
