// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// Sector maps of the STM32F42x main flash (RM0090 §3, fact sheet 2.1).

#include <cstdint>
#include <optional>
#include <vector>

namespace mcuota::board {

inline constexpr std::uint32_t kFlashBase = 0x0800'0000;

/// The parts the board can be.
enum class Part : std::uint8_t {
    single_1mb,  ///< STM32F429xG, DB1M = 0: one bank, sectors 0-11
    dual_1mb,    ///< STM32F429xG, DB1M = 1: banks of 512 KiB, sectors 0-7 and 12-19
    dual_2mb,    ///< STM32F429xI: banks of 1 MiB, sectors 0-11 and 12-23
};

struct Sector {
    unsigned number;      ///< 0-23, as in the reference manual
    std::uint32_t begin;  ///< first address
    std::uint32_t size_bytes;
    unsigned bank;  ///< 1 or 2

    [[nodiscard]] std::uint32_t end() const noexcept { return begin + size_bytes; }
    /// The value CR.SNB takes for this sector.
    [[nodiscard]] unsigned snb() const noexcept { return number < 12 ? number : number + 4; }
};

/// The sectors of one part and where an address lies in them.
class FlashGeometry {
  public:
    explicit FlashGeometry(Part part);

    [[nodiscard]] Part part() const noexcept { return part_; }
    [[nodiscard]] std::uint32_t size_bytes() const noexcept { return size_bytes_; }
    [[nodiscard]] const std::vector<Sector>& sectors() const noexcept { return sectors_; }
    [[nodiscard]] unsigned banks() const noexcept { return part_ == Part::single_1mb ? 1 : 2; }
    /// The sector holding `address`, or null outside the flash.
    [[nodiscard]] const Sector* at(std::uint32_t address) const noexcept;
    /// The sector CR.SNB selects, or null for a number this part does not have.
    [[nodiscard]] const Sector* by_snb(unsigned snb) const noexcept;

  private:
    Part part_;
    std::uint32_t size_bytes_{0};
    std::vector<Sector> sectors_;
};

}  // namespace mcuota::board
