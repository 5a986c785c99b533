#pragma once
// SPI5 as a plain full-duplex byte mover, by DMA where it pays.

#include <cstdint>
#include <span>

namespace mcuota::stm32f429 {

/// Pins PF7 – PF9, mode 0, 42 MHz (PCLK2 / 2; the part allows 50 MHz for plain reads, SPI5 45 MHz).
void spi5_start() noexcept;
/// Sends `out`, drops what comes back.
void spi5_write(std::span<const std::uint8_t> out) noexcept;
/// Fills `in`, sending 0xFF.
void spi5_read(std::span<std::uint8_t> in) noexcept;

}  // namespace mcuota::stm32f429
