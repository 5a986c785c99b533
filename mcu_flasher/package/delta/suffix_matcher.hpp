#pragma once
// Finds where bytes of new occur in old, by a suffix array (libdivsufsort).

#include <cstdint>
#include <span>
#include <vector>

namespace mcuota::delta {

/// Suffix array over a text it borrows.
class SuffixMatcher {
  public:
    explicit SuffixMatcher(std::span<const std::uint8_t> text);

    struct Match {
        std::uint32_t position{0};
        std::uint32_t length{0};
        std::uint32_t rank{0};  ///< place in the suffix array: neighbours share prefixes
    };
    /// A longest match of a prefix of `pattern`; length 0 when not even its first byte occurs.
    [[nodiscard]] Match longest(std::span<const std::uint8_t> pattern) const;
    /// Text position at `rank`; rank < size().
    [[nodiscard]] std::uint32_t at(std::uint32_t rank) const {
        return static_cast<std::uint32_t>(order_[rank]);
    }
    [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(order_.size()); }
    /// How many bytes the text at `position` and `pattern` share.
    [[nodiscard]] std::uint32_t common(std::uint32_t position, std::span<const std::uint8_t> pattern) const;

  private:
    std::span<const std::uint8_t> text_;
    std::vector<std::int32_t> order_;
};

}  // namespace mcuota::delta
