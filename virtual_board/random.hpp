// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// Reproducible randomness: the same seed gives the same board.

#include <cstdint>

namespace mcuota::board {

/// xorshift64*; good enough for garbage in RAM and torn pages, and the same on every host.
class Random {
  public:
    explicit Random(std::uint64_t seed) : state_(seed * 0x9E37'79B9'7F4A'7C15u + 0x1234'5678'9ABC'DEF1u) {
        if (state_ == 0) state_ = 1;
    }
    std::uint64_t next() noexcept {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return state_ * 0x2545'F491'4F6C'DD1Du;
    }
    /// What decides all that follows.
    [[nodiscard]] std::uint64_t state() const noexcept { return state_; }
    std::uint8_t byte() noexcept { return static_cast<std::uint8_t>(next() >> 56); }

  private:
    std::uint64_t state_;
};

}  // namespace mcuota::board
