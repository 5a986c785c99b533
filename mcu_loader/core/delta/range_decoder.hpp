#pragma once
// Binary range decoder (carry-propagating range coder as in LZMA, 16-bit chances) over a ByteSource.

#include <cstdint>

#include "mcu_loader/core/delta/byte_feed.hpp"
#include "mcu_loader/core/delta/models.hpp"

namespace mcuota::delta {

class RangeDecoder {
  public:
    /// Starts at `offset` of `source`; the stream's first byte is 0 and is checked.
    RangeDecoder(ByteSource& source, std::uint32_t offset) noexcept : feed_(source, offset) {
        failed_ = feed_.next_byte() != 0;
        for (unsigned i = 0; i < 4; ++i)
            code_ = code_ << 8 | feed_.next_byte();
    }

    [[gnu::always_inline]] bool code(Chance chance_of_1, bool /*unused*/) noexcept {
        const std::uint32_t bound = (range_ >> 16) * chance_of_1;
        const bool bit = code_ < bound;
        if (bit) {
            range_ = bound;
        } else {
            code_ -= bound;
            range_ -= bound;
        }
        while (range_ < (1U << 24)) {
            range_ <<= 8;
            code_ = code_ << 8 | feed_.next_byte();
        }
        return bit;
    }

    /// The source failed, or the stream asked for more than there is.
    [[nodiscard]] bool failed() const noexcept { return failed_ || feed_.failed(); }
    /// What the source answered; payload_malformed when the stream makes no sense.
    [[nodiscard]] Status status() const noexcept {
        return failed_ ? Status::payload_malformed : feed_.status();
    }
    /// Whether the stream was used up exactly.
    [[nodiscard]] bool finished() const noexcept {
        return !failed() && feed_.position() == feed_.size_bytes();
    }

  private:
    PayloadReader feed_;
    std::uint32_t range_{0xFFFFFFFFU}, code_{0};
    bool failed_{false};
};

}  // namespace mcuota::delta
