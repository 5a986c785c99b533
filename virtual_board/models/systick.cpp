// SPDX-License-Identifier: GPL-2.0-or-later
// SysTick counting without ticking: the value follows from the cycle of the next wrap.

#include "virtual_board/models/systick.hpp"

#include <algorithm>
#include <utility>

namespace mcuota::board {

SysTick::SysTick(const Clock& clock, std::function<void()> pend) : clock_(clock), pend_(std::move(pend)) {}

void SysTick::reset() {
    ctrl_ = load_ = 0;
    countflag_ = false;
    wrap_cycle_ = kNever;
}

void SysTick::restart() {
    // The counter reloads on the next clock and then counts LOAD steps down to zero.
    wrap_cycle_ = (ctrl_ & kEnable) && load_ != 0
                      ? clock_.cycles_now() + (std::uint64_t{load_} + 1) * divider()
                      : kNever;
}

std::uint32_t SysTick::peek(std::uint32_t offset) const {
    switch (offset) {
        case kCtrl:
            return ctrl_ | (countflag_ ? kCountflag : 0);
        case kLoad:
            return load_;
        case kVal: {
            if (wrap_cycle_ == kNever) return 0;
            const std::uint64_t now = clock_.cycles_now();
            const std::uint64_t left = wrap_cycle_ > now ? (wrap_cycle_ - now) / divider() : 0;
            return static_cast<std::uint32_t>(std::min<std::uint64_t>(left, load_));
        }
        case kCalib:
            return 0x4000'4650;  // NOREF clear, SKEW set, 18000: 1 ms at 18 MHz = 144 MHz / 8
        default:
            return 0;
    }
}

std::uint32_t SysTick::read(std::uint32_t offset) {
    const std::uint32_t value = peek(offset);
    if (offset == kCtrl) countflag_ = false;
    return value;
}

void SysTick::write(std::uint32_t offset, std::uint32_t value) {
    switch (offset) {
        case kCtrl: {
            const std::uint32_t old = ctrl_;
            ctrl_ = value & 7;
            if ((old ^ ctrl_) & (kEnable | kClksource)) restart();
            break;
        }
        case kLoad:
            load_ = value & 0xFF'FFFF;
            if (wrap_cycle_ == kNever) restart();
            break;
        case kVal:
            countflag_ = false;
            restart();
            break;
        default:
            break;
    }
}

Time SysTick::deadline() const {
    return wrap_cycle_ == kNever ? kNever : clock_.time_of_cycle(wrap_cycle_);
}

void SysTick::advance() {
    if (wrap_cycle_ == kNever || clock_.time_of_cycle(wrap_cycle_) > clock_.now()) return;
    countflag_ = true;
    // The next wrap follows from this one, not from now: no drift.
    wrap_cycle_ = load_ != 0 ? wrap_cycle_ + (std::uint64_t{load_} + 1) * divider() : kNever;
    if (ctrl_ & kTickint) pend_();
}

}  // namespace mcuota::board
