#pragma once
// Binary range encoder, the counterpart of mcu_loader/core/delta/range_decoder.hpp; and one that only counts
// bits.

#include <cstdint>
#include <vector>

#include "mcu_loader/core/delta/models.hpp"

namespace mcuota::delta {

/// Carry-propagating range coder (as in LZMA) with 16-bit chances.
class RangeEncoder {
  public:
    bool code(Chance chance_of_1, bool bit) {
        const std::uint32_t bound = (range_ >> 16) * chance_of_1;
        if (bit) {
            range_ = bound;
        } else {
            low_ += bound;
            range_ -= bound;
        }
        while (range_ < (1U << 24)) {
            range_ <<= 8;
            shift_low();
        }
        return bit;
    }
    [[nodiscard]] static bool failed() noexcept { return false; }

    /// Ends the stream and gives its bytes.
    [[nodiscard]] std::vector<std::uint8_t> finish() {
        for (int i = 0; i < 5; ++i)
            shift_low();
        return std::move(out_);
    }
    [[nodiscard]] std::size_t bytes_so_far() const noexcept { return out_.size() + pending_; }

  private:
    void shift_low() {
        if (low_ < 0xFF000000U || low_ > 0xFFFFFFFFU) {
            const auto carry = static_cast<std::uint8_t>(low_ >> 32);
            std::uint8_t byte = cache_;
            do {
                out_.push_back(static_cast<std::uint8_t>(byte + carry));
                byte = 0xFF;
            } while (--pending_ != 0);
            cache_ = static_cast<std::uint8_t>(low_ >> 24);
        }
        ++pending_;
        low_ = (low_ & 0x00FFFFFFU) << 8;
    }

    std::vector<std::uint8_t> out_;
    std::uint64_t low_{0};
    std::uint32_t range_{0xFFFFFFFFU};
    std::uint8_t cache_{0};
    std::uint64_t pending_{1};
};

}  // namespace mcuota::delta
