#pragma once
// Adaptive probabilities for the binary range coder of the relocated delta (docs/deltas.md): each remembers
// how often it was used and learns fast at first, slowly later. Same arithmetic in encoder and decoder,
// integers only.

#include <array>
#include <cstdint>

namespace mcuota::delta {

/// Chance of a 1, in 65536ths, as the range coder takes it: never 0, never 65536.
using Chance = std::uint32_t;

/// Chances are kept as their distance from one half, so that zeroed memory is a table of fresh models. They
/// strive for these limits and cannot pass them by more than one rounding: nothing needs to be clamped.
constexpr std::int32_t kChanceLimit = 32768 - 32;

/// 65536 / (uses + 1.6): how far a probability moves at its nth use.
constexpr std::array<std::uint16_t, 64> kStep = [] {
    std::array<std::uint16_t, 64> out{};
    for (std::uint32_t n = 0; n < 64; ++n)
        out[n] = static_cast<std::uint16_t>(655360U / (n * 10U + 16U));
    return out;
}();

/// Probability in 16 bits: 12 bits chance, 4 bits uses. For the many contexts of literals.
class SmallBit {
  public:
    [[nodiscard]] Chance chance() const noexcept { return static_cast<Chance>(distance() + 32768); }
    [[nodiscard]] std::uint32_t uses() const noexcept { return static_cast<std::uint32_t>(state_) & 15U; }
    void learn(bool bit) noexcept {
        const std::int32_t gap = (bit ? kChanceLimit : -kChanceLimit) - distance();
        const std::int32_t moved = (gap * kStep[uses()]) >> 16;
        state_ = static_cast<std::int16_t>(state_ + (moved & ~15) + (uses() < 15 ? 1 : 0));
    }

  private:
    friend Chance blended(const SmallBit& shorter, const SmallBit& longer) noexcept;
    [[nodiscard]] std::int32_t distance() const noexcept { return state_ & ~15; }
    std::int16_t state_{0};
};

/// A chance from a short context and a longer one that follows it: the longer is trusted the more the more it
/// was used, never beyond a half.
inline Chance blended(const SmallBit& shorter, const SmallBit& longer) noexcept {
    const std::int32_t base = shorter.distance(), gap = longer.distance() - base;
    const auto trust = static_cast<std::int32_t>(longer.uses()) + 14;
    return static_cast<Chance>(base + ((gap * trust) >> 6) + 32768);
}

/// Probability in 32 bits: 22 bits chance, 10 bits uses (60 at most). For contexts that become very sure.
class Bit {
  public:
    [[nodiscard]] Chance chance() const noexcept { return static_cast<Chance>((state_ >> 16) + 32768); }
    void learn(bool bit) noexcept {
        const std::int32_t uses = state_ & 1023, distance = state_ >> 10;
        const std::int32_t gap = (bit ? kChanceLimit * 64 : -kChanceLimit * 64) - distance;
        const std::int32_t moved = distance + ((gap >> 8) * kStep[static_cast<std::size_t>(uses)] >> 8);
        state_ = static_cast<std::int32_t>(static_cast<std::uint32_t>(moved) << 10) |
                 (uses < 60 ? uses + 1 : uses);
    }

  private:
    std::int32_t state_{0};
};

/// Numbers by magnitude: the count of binary digits in unary, then the digits, the upper two of them
/// modelled.
struct Golomb {
    std::array<Bit, 33> magnitude{};
    std::array<std::array<Bit, 3>, 33> digits{};
};

}  // namespace mcuota::delta
