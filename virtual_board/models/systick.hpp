// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// The Cortex-M SysTick timer (ARMv7-M B3.3). Counts core cycles, so it follows the core frequency.

#include <cstdint>
#include <functional>

#include "virtual_board/clock.hpp"
#include "virtual_board/device.hpp"

namespace mcuota::board {

class SysTick final : public Device {
  public:
    enum Register : std::uint32_t { kCtrl = 0, kLoad = 4, kVal = 8, kCalib = 0xC };
    static constexpr std::uint32_t kEnable = 1, kTickint = 2, kClksource = 4, kCountflag = 1u << 16;

    /// `pend` sets the SysTick exception pending.
    SysTick(const Clock& clock, std::function<void()> pend);

    [[nodiscard]] std::uint32_t peek(std::uint32_t offset) const override;
    [[nodiscard]] std::uint32_t read(std::uint32_t offset) override;
    void write(std::uint32_t offset, std::uint32_t value) override;
    void reset() override;
    [[nodiscard]] Time deadline() const override;
    void advance() override;
    [[nodiscard]] bool periodic() const override { return true; }

  private:
    [[nodiscard]] std::uint64_t divider() const noexcept { return ctrl_ & kClksource ? 1 : 8; }
    void restart();

    const Clock& clock_;
    std::function<void()> pend_;
    std::uint32_t ctrl_{0}, load_{0};
    bool countflag_{false};
    std::uint64_t wrap_cycle_{kNever};  ///< core cycle at which the counter reaches zero
};

}  // namespace mcuota::board
