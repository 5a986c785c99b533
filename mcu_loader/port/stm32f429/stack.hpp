#pragma once
// How much of the stack was ever used. The stack lies at the very beginning of RAM: running over its end is a
// bus fault (and so a reset), never silent damage to other data.

#include <cstdint>

namespace mcuota::stm32f429 {

/// Fills the unused part with a pattern. Called by the start-up code.
void stack_paint() noexcept;
/// Most bytes in use at any time so far.
[[nodiscard]] std::uint32_t stack_used_bytes() noexcept;

}  // namespace mcuota::stm32f429
