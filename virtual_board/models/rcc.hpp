// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// Reset and clock control (RM0090 §6/7, fact sheet 4): ready bits, the clock tree, gates, reset causes.

#include <array>
#include <cstdint>
#include <functional>
#include <string>

#include "virtual_board/clock.hpp"
#include "virtual_board/device.hpp"

namespace mcuota::board {

/// Why the MCU restarted; the bit position in RCC_CSR.
enum class ResetCause : std::uint8_t { pin = 26, power = 27, software = 28, iwdg = 29 };

[[nodiscard]] const char* to_string(ResetCause cause) noexcept;

class Rcc final : public Device {
  public:
    enum Register : std::uint32_t {
        kCr = 0x00,
        kPllcfgr = 0x04,
        kCfgr = 0x08,
        kCir = 0x0C,
        kAhb1rstr = 0x10,
        kApb1rstr = 0x20,
        kApb2rstr = 0x24,
        kAhb1enr = 0x30,
        kAhb2enr = 0x34,
        kAhb3enr = 0x38,
        kApb1enr = 0x40,
        kApb2enr = 0x44,
        kBdcr = 0x70,
        kCsr = 0x74
    };

    struct Hooks {
        std::function<void()> clocks_changed;  ///< hclk/pclk differ
        std::function<void(std::uint32_t reset_register, std::uint32_t bits)>
            peripheral_reset;  ///< 0 -> 1 in xxxRSTR
        std::function<void()> backup_domain_reset;
        std::function<bool()> backup_writable;  ///< PWR_CR.DBP
    };

    Rcc(const Clock& clock, std::uint64_t hse_hz, std::uint64_t lsi_hz, Hooks hooks);

    [[nodiscard]] std::uint32_t peek(std::uint32_t offset) const override;
    void write(std::uint32_t offset, std::uint32_t value) override;
    void reset() override;
    [[nodiscard]] Time deadline() const override;
    void advance() override;
    [[nodiscard]] bool status_register(std::uint32_t offset) const override {
        return offset == kCr || offset == kCfgr || offset == kBdcr || offset == kCsr;
    }

    /// Adds a cause; NRST follows every internal reset, so PINRSTF is set too.
    void note_reset(ResetCause cause);
    /// Power-up: all causes as after POR, backup domain untouched.
    void power_up();

    [[nodiscard]] std::uint64_t hclk_hz() const noexcept { return hclk_hz_; }
    [[nodiscard]] std::uint64_t pclk1_hz() const noexcept { return pclk1_hz_; }
    [[nodiscard]] std::uint64_t pclk2_hz() const noexcept { return pclk2_hz_; }
    [[nodiscard]] std::uint64_t lsi_hz() const noexcept { return lsi_hz_; }
    [[nodiscard]] bool lsi_on() const noexcept { return regs_[kCsr / 4] & 1; }
    /// Whether the gate of a peripheral is open: `enable_register` is one of the xxxENR.
    [[nodiscard]] bool gate_open(std::uint32_t enable_register, unsigned bit) const noexcept {
        return regs_[enable_register / 4] >> bit & 1;
    }
    /// Bits 25-31 of CSR by name, for people.
    [[nodiscard]] std::string cause_text() const;

  private:
    struct Oscillator {
        std::uint32_t reg;
        std::uint32_t on, ready;
        Time startup;
        Time ready_at;
    };
    void update_oscillators();
    void update_tree();
    [[nodiscard]] std::uint64_t pll_hz() const noexcept;

    const Clock& clock_;
    std::uint64_t hse_hz_, lsi_hz_;
    Hooks hooks_;
    std::array<std::uint32_t, 0x94 / 4> regs_{};
    std::array<Oscillator, 7> oscillators_;
    std::uint64_t hclk_hz_{16'000'000}, pclk1_hz_{16'000'000}, pclk2_hz_{16'000'000};
};

}  // namespace mcuota::board
