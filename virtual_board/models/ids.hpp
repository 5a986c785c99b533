// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// Identification and the few debug registers programs read themselves: unique ID, flash size, option bytes,
// OTP (fact sheet 1, 3), DBGMCU, DWT cycle counter.

#include <array>
#include <cstdint>
#include <span>

#include "virtual_board/clock.hpp"
#include "virtual_board/device.hpp"

namespace mcuota::board {

using ChipId = std::array<std::uint8_t, 12>;

inline constexpr std::uint32_t kInfoPageBase = 0x1FFF'7000;    ///< holds OTP, unique ID and flash size
inline constexpr std::uint32_t kOptionPageBase = 0x1FFF'C000;  ///< option bytes of bank 1
inline constexpr std::uint32_t kInfoPageBytes = 4096;

/// Fills the page at kInfoPageBase: OTP erased, unique ID at 0x1FFF7A10, flash size in KiB at 0x1FFF7A22.
void fill_info_page(std::span<std::uint8_t> page, const ChipId& id, std::uint32_t flash_bytes);
/// Fills the page at kOptionPageBase with the factory option bytes.
void fill_option_page(std::span<std::uint8_t> page);

/// DBGMCU at 0xE0042000: IDCODE of an STM32F42x revision 5; the freeze registers only keep their value.
class Dbgmcu final : public Device {
  public:
    static constexpr std::uint32_t kIdcode = 0x2003'6419;

    [[nodiscard]] std::uint32_t peek(std::uint32_t offset) const override;
    void write(std::uint32_t offset, std::uint32_t value) override;
    void reset() override {}  // only a power-up resets it

  private:
    std::array<std::uint32_t, 4> regs_{};
};

/// DWT at 0xE0001000: CYCCNT counts virtual core cycles while DEMCR.TRCENA and CYCCNTENA are set.
class Dwt final : public Device {
  public:
    explicit Dwt(const Clock& clock) : clock_(clock) {}

    [[nodiscard]] std::uint32_t peek(std::uint32_t offset) const override;
    void write(std::uint32_t offset, std::uint32_t value) override;
    void reset() override;

    [[nodiscard]] std::uint32_t demcr() const noexcept { return demcr_; }
    void set_demcr(std::uint32_t value);

  private:
    [[nodiscard]] bool counting() const noexcept { return (ctrl_ & 1) && (demcr_ >> 24 & 1); }
    [[nodiscard]] std::uint32_t count() const noexcept;
    void change(std::uint32_t ctrl, std::uint32_t demcr);

    const Clock& clock_;
    std::uint32_t ctrl_{0}, demcr_{0};
    std::uint32_t held_{0};  ///< the count while it stands still, else the count at base_
    std::uint64_t base_{0};
};

}  // namespace mcuota::board
