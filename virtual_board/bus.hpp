// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// Address decoding: which model answers at a peripheral address, behind which clock gate, and how accesses
// narrower than a register reach it.

#include <array>
#include <cstdint>
#include <vector>

#include "virtual_board/device.hpp"

namespace mcuota::board {

/// A model and where it sits.
struct Slot {
    Device* device{nullptr};
    std::uint32_t base{0};
    std::uint32_t size_bytes{0};
    std::uint32_t enable_register{0};  ///< offset of the RCC_xxxENR, 0 = always clocked
    unsigned enable_bit{0};
};

class Bus {
  public:
    void add(Slot slot);
    /// The slot holding `address`, or null.
    [[nodiscard]] const Slot* at(std::uint32_t address) const noexcept;
    [[nodiscard]] const std::vector<Slot>& slots() const noexcept { return slots_; }

    /// True for addresses where the chip has a peripheral, modelled or not: no bus fault there.
    [[nodiscard]] static bool peripheral_space(std::uint32_t address) noexcept;

    /// Reads `size_bytes` (1, 2, 4) from a slot's device.
    [[nodiscard]] static std::uint32_t read(const Slot& slot, std::uint32_t address, unsigned size_bytes);
    static void write(const Slot& slot, std::uint32_t address, unsigned size_bytes, std::uint32_t value);

  private:
    // 0x40000000-0x4007FFFF in steps of 1 KiB; what lies elsewhere is searched.
    static constexpr std::uint32_t kTableBase = 0x4000'0000;
    static constexpr std::size_t kTableSlots = 512;
    std::vector<Slot> slots_;
    std::array<std::int16_t, kTableSlots> table_ = [] {
        std::array<std::int16_t, kTableSlots> empty{};
        empty.fill(-1);
        return empty;
    }();
};

}  // namespace mcuota::board
