#pragma once
// Binary range decoder (carry-propagating range coder as in LZMA, 16-bit chances) over a ByteSource.

#include <array>
#include <cstdint>

#include "mcu_loader/core/delta/models.hpp"
#include "mcu_loader/core/payload_decoder.hpp"

namespace mcuota::delta {

class RangeDecoder {
  public:
    /// Starts at `offset` of `source`; the stream's first byte is 0 and is checked.
    RangeDecoder(ByteSource& source, std::uint32_t offset) noexcept : source_(source), offset_(offset) {
        failed_ = next() != 0;
        for (unsigned i = 0; i < 4; ++i)
            code_ = code_ << 8 | next();
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
            code_ = code_ << 8 | next();
        }
        return bit;
    }

    /// The source failed, or the stream asked for more than one coder's tail beyond its end.
    [[nodiscard]] bool failed() const noexcept { return failed_; }
    [[nodiscard]] Status status() const noexcept { return status_; }
    /// Whether the stream was used up exactly: nothing is left and nothing was missing.
    [[nodiscard]] bool finished() const noexcept {
        return !failed() && beyond_ == 0 && at_ == filled_ && offset_ == source_.size_bytes();
    }

  private:
    std::uint32_t next() noexcept {
        if (at_ == filled_) refill();
        if (at_ == filled_) {
            if (++beyond_ > 4 || status_ != Status::ok) failed_ = true;
            return 0;
        }
        return buffer_[at_++];
    }

    void refill() noexcept {
        const std::uint32_t left = source_.size_bytes() > offset_ ? source_.size_bytes() - offset_ : 0;
        const auto take = left < buffer_.size() ? left : static_cast<std::uint32_t>(buffer_.size());
        at_ = filled_ = 0;
        if (take == 0 || status_ != Status::ok) return;
        status_ = source_.read(offset_, std::span(buffer_).first(take));
        if (status_ != Status::ok) return;
        filled_ = take;
        offset_ += take;
    }

    ByteSource& source_;
    std::uint32_t offset_;
    std::array<std::uint8_t, 256> buffer_{};
    std::uint32_t at_{0}, filled_{0};
    std::uint32_t range_{0xFFFFFFFFU}, code_{0};
    std::uint32_t beyond_{0};
    bool failed_{false};
    Status status_{Status::ok};
};

}  // namespace mcuota::delta
