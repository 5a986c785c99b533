// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// The board's unit of time, shared by every model.

#include <cstdint>

namespace mcuota::board {

/// Virtual time in picoseconds since the program started (213 days fit). Only the board's clock moves it.
using Time = std::uint64_t;

inline constexpr Time kNever = ~Time{0};
inline constexpr Time kNanosecond = 1'000;
inline constexpr Time kMicrosecond = 1'000'000;
inline constexpr Time kMillisecond = 1'000'000'000;
inline constexpr Time kSecond = 1'000'000'000'000;

}  // namespace mcuota::board
