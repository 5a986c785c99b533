// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// The independent watchdog (RM0090 §21, fact sheet 7), clocked by the LSI.

#include <cstdint>
#include <functional>

#include "virtual_board/clock.hpp"
#include "virtual_board/device.hpp"

namespace mcuota::board {

class Iwdg final : public Device {
  public:
    enum Register : std::uint32_t { kKr = 0, kPr = 4, kRlr = 8, kSr = 0xC };
    static constexpr std::uint32_t kPvu = 1, kRvu = 2;

    /// `lsi_on` tells whether RCC runs the LSI; `bite` is called on a timeout and must reset the MCU.
    Iwdg(const Clock& clock, std::uint64_t lsi_hz, std::function<bool()> lsi_on, std::function<void()> bite);

    [[nodiscard]] std::uint32_t peek(std::uint32_t offset) const override;
    void write(std::uint32_t offset, std::uint32_t value) override;
    void reset() override;
    [[nodiscard]] Time deadline() const override;
    void advance() override;
    [[nodiscard]] bool periodic() const override { return sr_ == 0; }
    [[nodiscard]] bool status_register(std::uint32_t offset) const override { return offset == kSr; }

    [[nodiscard]] bool running() const noexcept { return running_; }
    [[nodiscard]] std::uint64_t reloads() const noexcept { return reloads_; }

  private:
    void reload();
    void start_update(std::uint32_t flag);

    const Clock& clock_;
    std::uint64_t lsi_hz_;
    std::function<bool()> lsi_on_;
    std::function<void()> bite_;
    std::uint32_t pr_{0}, rlr_{0xFFF}, sr_{0};
    bool unlocked_{false}, running_{false};
    Time bite_at_{kNever};
    Time update_end_{kNever};
    std::uint64_t reloads_{0};
};

}  // namespace mcuota::board
