#pragma once
// device::Board on the STM32F429.

#include "mcu_loader/core/device/board.hpp"
#include "mcu_loader/port/stm32f429/ticks.hpp"

namespace mcuota::stm32f429 {

/// Reads RCC_CSR, clears it (RMVF), leaves the cause in the mailbox for the application, and forgets a stay
/// request that power loss may have faked. The loader calls it once, before anything else touches RCC.
[[nodiscard]] std::uint8_t take_reset_cause() noexcept;

/// Resets the chip (AIRCR.SYSRESETREQ).
[[noreturn]] void system_reset() noexcept;

class Board final : public device::Board {
  public:
    /// `jedec_id` as the NOR driver read it; `pclk2_hz` feeds USART1.
    Board(const Hooks& hooks, std::uint8_t reset_cause, std::uint32_t jedec_id,
          std::uint32_t pclk2_hz) noexcept
        : hooks_{hooks}, jedec_id_{jedec_id}, pclk2_hz_{pclk2_hz}, reset_cause_{reset_cause} {}

    [[nodiscard]] std::uint32_t now_ms() noexcept override { return hooks_.now_ms(); }
    void feed_watchdog() noexcept override { hooks_.feed_watchdog(); }
    [[noreturn]] void reset() noexcept override;
    [[nodiscard]] device::ResetCause reset_cause() noexcept override { return {reset_cause_}; }
    [[nodiscard]] std::array<std::uint8_t, 12> unique_id() noexcept override;
    [[nodiscard]] std::uint16_t flash_kib() noexcept override;
    [[nodiscard]] std::uint32_t jedec_id() noexcept override { return jedec_id_; }
    void set_stay_request(bool stay) noexcept override;
    [[nodiscard]] bool take_stay_request() noexcept override;
    [[nodiscard]] bool speed_supported(std::uint32_t baud) noexcept override;

  private:
    Hooks hooks_;
    std::uint32_t jedec_id_;
    std::uint32_t pclk2_hz_;
    std::uint8_t reset_cause_;
};

}  // namespace mcuota::stm32f429
