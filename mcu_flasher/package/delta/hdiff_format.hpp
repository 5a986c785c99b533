#pragma once
// What both HDiffPatch encoders share: numbers, heads, covers relative to the one before (docs/deltas.md).

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "mcu_loader/core/delta/cover.hpp"

namespace mcuota::delta {

/// Bytes being put together.
class HdiffWriter {
  public:
    /// Groups of 7 bits, highest first; `tag` fills the top `tag_bits` of the first byte.
    void number(std::uint32_t value, unsigned tag_bits = 0, unsigned tag = 0);
    void bytes(std::span<const std::uint8_t> data) { out_.insert(out_.end(), data.begin(), data.end()); }
    void byte(std::uint8_t value) { out_.push_back(value); }
    /// Magic, '&', "lzma", 0.
    void head(std::string_view magic);
    /// `cover`, told from the end of the one before it.
    void cover(const Cover& cover, std::uint32_t old_end, std::uint32_t new_end);

    [[nodiscard]] std::size_t size() const { return out_.size(); }
    [[nodiscard]] const std::vector<std::uint8_t>& data() const { return out_; }
    [[nodiscard]] std::vector<std::uint8_t> take() { return std::move(out_); }
    void clear() { out_.clear(); }

  private:
    std::vector<std::uint8_t> out_;
};

/// How many bytes number(value) writes.
[[nodiscard]] constexpr std::uint32_t number_bytes(std::uint32_t value) {
    std::uint32_t count = 1;
    while ((value >>= 7) != 0)
        ++count;
    return count;
}

/// Covers of old and new worth trying behind LZMA: with and without a low price for differences that repeat,
/// which it packs well when they are many. Only the first for files beyond a microcontroller's size.
[[nodiscard]] std::vector<std::vector<Cover>> hdiff_covers(std::span<const std::uint8_t> old_image,
                                                           std::span<const std::uint8_t> new_image);

}  // namespace mcuota::delta
