#pragma once
// Windows to the images around a delta decoder: old bytes at random through a small buffer, new bytes
// gathered for the sink. Both remember the first failure instead of returning it at every byte.

#include <array>
#include <cstdint>
#include <cstring>
#include <span>

#include "mcu_loader/core/payload_decoder.hpp"

namespace mcuota::delta {

/// Old bytes through one window: covers are read in ascending runs.
class OldWindow {
  public:
    explicit OldWindow(ByteSource& base) noexcept : base_(base), size_(base.size_bytes()) {}

    /// The byte at `at`; 0 once anything failed or beyond the image.
    std::uint8_t byte(std::uint32_t at) noexcept {
        if (at - begin_ >= filled_) refill(at);
        return at - begin_ < filled_ ? window_[at - begin_] : std::uint8_t{0};
    }
    /// `wanted` bytes (64 at most) in one piece from `at`, fewer only at the image's end; valid until the
    /// next call.
    std::span<const std::uint8_t> run(std::uint32_t at, std::uint32_t wanted) noexcept {
        if (at - begin_ >= filled_ || filled_ - (at - begin_) < wanted) refill(at);
        const std::uint32_t skipped = at - begin_, have = skipped < filled_ ? filled_ - skipped : 0;
        return std::span(window_).subspan(skipped < filled_ ? skipped : 0, have < wanted ? have : wanted);
    }
    [[nodiscard]] Status status() const noexcept { return status_; }
    [[nodiscard]] std::uint32_t size_bytes() const noexcept { return size_; }

  private:
    void refill(std::uint32_t at) noexcept {
        begin_ = at & ~3U;
        filled_ = 0;
        if (at >= size_ || status_ != Status::ok) return;
        const std::uint32_t left = size_ - begin_;
        const auto take = left < window_.size() ? left : static_cast<std::uint32_t>(window_.size());
        status_ = base_.read(begin_, std::span(window_).first(take));
        if (status_ == Status::ok) filled_ = take;
    }

    ByteSource& base_;
    std::uint32_t size_;
    std::array<std::uint8_t, 256> window_{};
    std::uint32_t begin_{0}, filled_{0};
    Status status_{Status::ok};
};

/// The new image on its way to the sink, in pieces of up to 256 bytes.
class NewBuffer {
  public:
    explicit NewBuffer(ByteSink& sink) noexcept : sink_(sink) {}

    /// The low `size` bytes of `value`, lowest first.
    void put(std::uint32_t value, unsigned size) noexcept {
        std::uint8_t* const at = room(size);
        for (unsigned i = 0; i < size; ++i)
            at[i] = static_cast<std::uint8_t>(value >> (8 * i));
        take(size);
    }
    /// Memory for the next `size` bytes, 64 at most; take() makes the first of them part of the image.
    std::uint8_t* room(std::uint32_t size) noexcept {
        if (filled_ + size > buffer_.size()) flush();
        return buffer_.data() + filled_;
    }
    void take(std::uint32_t size) noexcept {
        filled_ += size;
        position_ += size;
    }
    /// The last byte put; 0 before the start.
    [[nodiscard]] std::uint32_t last() const noexcept { return filled_ > 0 ? buffer_[filled_ - 1] : last_; }
    [[nodiscard]] std::uint32_t position() const noexcept { return position_; }
    [[nodiscard]] Status status() const noexcept { return status_; }
    void flush() noexcept {
        if (status_ == Status::ok && filled_ > 0) status_ = sink_.write(std::span(buffer_).first(filled_));
        last_ = static_cast<std::uint8_t>(last());
        filled_ = 0;
    }

  private:
    ByteSink& sink_;
    std::array<std::uint8_t, 256> buffer_{};
    std::uint32_t filled_{0}, position_{0};
    std::uint8_t last_{0};
    Status status_{Status::ok};
};

}  // namespace mcuota::delta
