// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// Reproducible randomness: the same seed gives the same board.

#include <cstdint>
#include <cstring>
#include <span>

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
    void fill(std::span<std::uint8_t> bytes) noexcept {
        for (; bytes.size() >= sizeof(std::uint64_t); bytes = bytes.subspan(sizeof(std::uint64_t))) {
            const std::uint64_t word = next();
            std::memcpy(bytes.data(), &word, sizeof word);
        }
        for (std::uint8_t& last : bytes)
            last = byte();
    }
    std::uint8_t byte() noexcept { return static_cast<std::uint8_t>(next() >> 56); }

  private:
    std::uint64_t state_;
};

}  // namespace mcuota::board
