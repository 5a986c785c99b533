#pragma once
// From the loader to the application: everything back to its state after reset, only the watchdog goes on
// running.

#include <cstdint>

namespace mcuota::stm32f429 {

/// Starts the program whose vector table lies at `vectors`. The caller has checked the two words there.
[[noreturn]] void hand_over(std::uint32_t vectors) noexcept;

}  // namespace mcuota::stm32f429
