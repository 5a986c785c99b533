#pragma once
// The lamp on PH10: each version blinks a pattern of its own.

#include <cstdint>

namespace mcuota::demo {

void lamp_start() noexcept;
/// Shows what the pattern has for this moment.
void lamp_poll(std::uint32_t running_ms) noexcept;
void lamp_off() noexcept;

}  // namespace mcuota::demo
