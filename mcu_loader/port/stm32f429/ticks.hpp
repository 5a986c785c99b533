#pragma once
// Milliseconds since start, counted by SysTick. Firmware that has a tick of its own (an application with an
// RTOS) does not link this file: the drivers take their clock through Hooks.

#include <cstdint>

namespace mcuota::stm32f429 {

/// What the drivers ask of the firmware around them.
struct Hooks {
    std::uint32_t (*now_ms)() noexcept;  ///< grows by one a millisecond, wraps
    void (*feed_watchdog)() noexcept;    ///< called between bounded steps of long operations
};

/// Starts the 1 ms tick from the core clock.
void ticks_start(std::uint32_t hclk_hz) noexcept;
void ticks_stop() noexcept;
[[nodiscard]] std::uint32_t now_ms() noexcept;

}  // namespace mcuota::stm32f429
