// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// One GPIO port (RM0090 §8): output latch with BSRR, input levels, alternate function selection.

#include <cstdint>
#include <functional>

#include "virtual_board/device.hpp"

namespace mcuota::board {

class Gpio final : public Device {
  public:
    enum Register : std::uint32_t {
        kModer = 0x00,
        kOtyper = 0x04,
        kOspeedr = 0x08,
        kPupdr = 0x0C,
        kIdr = 0x10,
        kOdr = 0x14,
        kBsrr = 0x18,
        kLckr = 0x1C,
        kAfrl = 0x20,
        kAfrh = 0x24
    };

    /// `port` is 'A'..'I'; `outputs_changed` is called after every write that may move a pin.
    explicit Gpio(char port, std::function<void()> outputs_changed = {});

    [[nodiscard]] std::uint32_t peek(std::uint32_t offset) const override;
    void write(std::uint32_t offset, std::uint32_t value) override;
    void reset() override;

    /// True when the pin is configured for this alternate function.
    [[nodiscard]] bool alternate(unsigned pin, unsigned function) const noexcept;
    [[nodiscard]] bool output(unsigned pin) const noexcept { return (moder_ >> (2 * pin) & 3) == 1; }
    /// Level of a pin: driven output, else what drives it from outside, else its pull resistor, else
    /// `floating`.
    [[nodiscard]] bool level(unsigned pin, bool floating = false) const noexcept;
    /// Drives an input pin from outside, or lets go of it.
    void drive(unsigned pin, bool high) noexcept;
    void release(unsigned pin) noexcept;

  private:
    char port_;
    std::function<void()> outputs_changed_;
    std::uint32_t moder_{0}, otyper_{0}, ospeedr_{0}, pupdr_{0}, odr_{0};
    std::uint64_t afr_{0};
    std::uint32_t driven_{0}, driven_level_{0};
};

}  // namespace mcuota::board
