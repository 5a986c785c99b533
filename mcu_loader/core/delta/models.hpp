#pragma once
// Adaptive probabilities for the binary range coder of the relocated delta (docs/deltas.md): each remembers
// how often it was used and learns fast at first, slowly later. Same arithmetic in encoder and decoder,
// integers only.

#include <array>
#include <cstdint>

namespace mcuota::delta {

/// Chance of a 1, in 65536ths, as the range coder takes it: 32…65504.
using Chance = std::uint32_t;

constexpr Chance clamp_chance(std::uint32_t p) noexcept {
    return p < 32U ? 32U : p > 65504U ? 65504U : p;
}

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
    [[nodiscard]] Chance chance() const noexcept {
        return clamp_chance(static_cast<std::uint32_t>(state_ & 0xFFF0U));
    }
    [[nodiscard]] std::uint32_t uses() const noexcept { return state_ & 15U; }
    void learn(bool bit) noexcept {
        const std::int32_t state = state_;
        const std::int32_t moved = (((bit ? 0xFFF0 : 0) - (state & 0xFFF0)) * kStep[uses()]) >> 16;
        state_ = static_cast<std::uint16_t>(state + (moved & ~15) + ((state & 15) < 15 ? 1 : 0));
    }

  private:
    friend Chance blended(const SmallBit& shorter, const SmallBit& longer) noexcept;
    std::uint16_t state_{2048U << 4};
};

/// A chance from a short context and a longer one that follows it: the longer is trusted the more the more it
/// was used, never beyond a half.
inline Chance blended(const SmallBit& shorter, const SmallBit& longer) noexcept {
    const std::int32_t base = shorter.state_ & 0xFFF0, gap = (longer.state_ & 0xFFF0) - base;
    const auto trust = static_cast<std::int32_t>(longer.uses()) + 14;
    return clamp_chance(static_cast<std::uint32_t>(base + ((gap * trust) >> 6)));
}

/// Probability in 32 bits: 22 bits chance, 10 bits uses (63 at most). For contexts that become very sure.
class Bit {
  public:
    [[nodiscard]] Chance chance() const noexcept { return clamp_chance(state_ >> 16); }
    void learn(bool bit) noexcept {
        const std::uint32_t n = state_ & 1023U;
        const auto p = static_cast<std::int32_t>(state_ >> 10);
        const std::int32_t gap = (bit ? (1 << 22) - 1 : 0) - p;
        const std::int32_t moved = p + ((gap >> 8) * kStep[n] >> 8);
        state_ = static_cast<std::uint32_t>(moved) << 10 | (n < 60 ? n + 1 : n);
    }

  private:
    std::uint32_t state_{1U << 31};
};

/// Numbers by magnitude: the count of binary digits in unary, then the digits, the upper two of them
/// modelled.
struct Golomb {
    std::array<Bit, 33> magnitude{};
    std::array<std::array<Bit, 3>, 33> digits{};
};

}  // namespace mcuota::delta
