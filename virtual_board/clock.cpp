// SPDX-License-Identifier: GPL-2.0-or-later
// Conversions between cycles and virtual time.

#include "virtual_board/clock.hpp"

namespace mcuota::board {
namespace {

__extension__ using Wide = unsigned __int128;

}  // namespace

Time Clock::time_at(std::uint64_t ticks) const noexcept {
    if (ticks <= base_ticks_) return base_time_;
    const Wide product = Wide{ticks - base_ticks_} * kSecond;
    const Wide time = product / (Wide{hz_} << kTickBits) + base_time_;
    return time >= kNever ? kNever : static_cast<Time>(time);
}

std::uint64_t Clock::ticks_at(Time time) const noexcept {
    if (time == kNever) return kNever;
    if (time <= base_time_) return base_ticks_;
    const Wide product = Wide{time - base_time_} * hz_ << kTickBits;
    const Wide ticks = (product + kSecond - 1) / kSecond + base_ticks_;
    return ticks >= kNever ? kNever : static_cast<std::uint64_t>(ticks);
}

std::uint64_t Clock::cycles_now() const noexcept {
    return ticks_at(now_) >> kTickBits;
}

void Clock::sync() noexcept {
    const Time time = time_at(ticks_);
    if (time > now_) now_ = time;
}

void Clock::advance_to(Time time) noexcept {
    if (time > now_) now_ = time;
    const std::uint64_t ticks = ticks_at(time);
    if (ticks > ticks_) ticks_ = ticks;
}

void Clock::set_hz(std::uint64_t hz) noexcept {
    if (hz == hz_ || hz == 0) return;
    // The base moves to the last counted instruction, so past time keeps the old frequency.
    base_time_ = time_at(ticks_);
    base_ticks_ = ticks_;
    hz_ = hz;
}

}  // namespace mcuota::board
