#pragma once
// The clock tree of the port: 168 MHz from the crystal, with the inner oscillator as the second choice.

#include <cstdint>

namespace mcuota::stm32f429 {

/// Frequencies the drivers calculate with.
struct Clocks {
    std::uint32_t hclk_hz;
    std::uint32_t pclk1_hz;
    std::uint32_t pclk2_hz;
    bool from_crystal;  ///< false: the 25 MHz HSE did not start and the ±1 % HSI feeds the PLL
};

/// Raises the clock from its reset state. Every wait is bounded; when even the PLL does not lock the chip
/// stays at 16 MHz.
[[nodiscard]] Clocks clock_start() noexcept;

/// Back to the state after reset: HSI 16 MHz, PLL and HSE off, no wait states, caches off and empty.
void clock_stop() noexcept;

}  // namespace mcuota::stm32f429
