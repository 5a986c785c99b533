#pragma once
// The independent watchdog: once started nothing but a reset stops it, so it also guards the application.

namespace mcuota::stm32f429 {

/// Starts it with 8 s nominal. Over the LSI's 17 – 47 kHz that is 5.4 – 15 s: more than the longest flash
/// erase (4 s for 128 KiB with bytewise parallelism), during which code in flash stands still and cannot
/// feed.
void watchdog_start() noexcept;
void watchdog_feed() noexcept;

}  // namespace mcuota::stm32f429
