// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// What is left of flash cells whose operation was cut (fact sheet 2.6): some bits are settled, others read
// differently at each start until they are erased or programmed.

#include <cstdint>
#include <span>
#include <vector>

#include "virtual_board/power.hpp"
#include "virtual_board/random.hpp"

namespace mcuota::board {

class TornCells {
  public:
    /// `array` is the memory, which outlives this and always holds what reads give now.
    TornCells(std::span<std::uint8_t> array, Random& random) : array_(array), random_(random) {}

    /// An operation that was to turn [begin, begin + target.size()) into `target` was cut.
    void tear(std::size_t begin, std::span<const std::uint8_t> target, Tear tear);
    /// The same for an erase.
    void tear_erase(std::size_t begin, std::size_t size_bytes, Tear tear);
    /// The device starts again: unsteady cells read anew.
    void started();
    /// Programming completed: bits it turned to 0 are settled.
    void programmed(std::size_t begin, std::span<const std::uint8_t> value);
    /// Erasing completed: all is settled.
    void erased(std::size_t begin, std::size_t size_bytes);
    /// Nothing is unsteady.
    [[nodiscard]] bool settled() const noexcept { return areas_.empty(); }

    struct Area {
        std::size_t begin;
        std::vector<std::uint8_t> unsteady;  ///< bits that read anything
        bool deceptive;                      ///< the first start still reads what the tear left
    };
    /// What decides, with the bytes of the memory, what later starts read.
    [[nodiscard]] std::span<const Area> areas() const noexcept { return areas_; }

  private:
    void drop_settled();

    std::span<std::uint8_t> array_;
    Random& random_;
    std::vector<Area> areas_;
};

}  // namespace mcuota::board
