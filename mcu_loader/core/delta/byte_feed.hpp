#pragma once
// Bytes in order from anywhere: the payload, a packed section, a block in memory. Remembers the first failure
// instead of returning it at every byte.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "mcu_loader/core/payload_decoder.hpp"

namespace mcuota::delta {

class ByteFeed {
  public:
    /// The next byte; 0 once anything failed or nothing is left.
    std::uint32_t next_byte() noexcept {
        if (at_ == piece_.size() && !refilled()) return 0;
        return piece_[at_++];
    }
    /// What can be had in one piece, `wanted` bytes at most; empty only when anything failed or nothing is
    /// left. Valid until the next call.
    std::span<const std::uint8_t> next_run(std::uint32_t wanted) noexcept {
        if (at_ == piece_.size() && !refilled()) return {};
        const auto run = piece_.subspan(at_, std::min<std::size_t>(piece_.size() - at_, wanted));
        at_ += run.size();
        return run;
    }
    /// Whether a byte was asked for that could not be had.
    [[nodiscard]] bool failed() const noexcept { return status_ != Status::ok; }
    /// Why: what the source answered, or payload_malformed when it was at its end.
    [[nodiscard]] Status status() const noexcept { return status_; }
    /// Bytes in hand that were not taken yet.
    [[nodiscard]] std::size_t waiting_bytes() const noexcept { return piece_.size() - at_; }

  protected:
    ~ByteFeed() = default;
    void start(Status status) noexcept {
        piece_ = {};
        at_ = 0;
        status_ = status;
    }

  private:
    /// The next piece; empty at the end.
    [[nodiscard]] virtual Status refill(std::span<const std::uint8_t>& piece) noexcept = 0;
    [[gnu::noinline]] bool refilled() noexcept {
        start(status_);
        if (status_ == Status::ok) status_ = refill(piece_);
        if (status_ != Status::ok) piece_ = {};
        if (status_ == Status::ok && piece_.empty()) status_ = Status::payload_malformed;
        return status_ == Status::ok;
    }

    std::span<const std::uint8_t> piece_;
    std::size_t at_{0};
    Status status_{Status::ok};
};

/// Bytes of the payload itself, from `offset` to its end, through a small buffer.
class PayloadReader final : public ByteFeed {
  public:
    PayloadReader(ByteSource& source, std::uint32_t offset) noexcept : source_(source), offset_(offset) {}
    [[nodiscard]] std::uint32_t size_bytes() const noexcept { return source_.size_bytes(); }
    /// Offset of the next byte.
    [[nodiscard]] std::uint32_t position() const noexcept {
        return offset_ - static_cast<std::uint32_t>(waiting_bytes());
    }

  private:
    [[nodiscard]] Status refill(std::span<const std::uint8_t>& piece) noexcept override;

    ByteSource& source_;
    std::uint32_t offset_;
    std::array<std::uint8_t, 256> buffer_{};
};

/// A block in memory.
class BlockReader final : public ByteFeed {
  public:
    explicit BlockReader(std::span<const std::uint8_t> bytes) noexcept : left_(bytes) {}
    [[nodiscard]] bool used_up() const noexcept { return left_.empty() && waiting_bytes() == 0; }

  private:
    [[nodiscard]] Status refill(std::span<const std::uint8_t>& piece) noexcept override {
        piece = left_;
        left_ = {};
        return Status::ok;
    }
    std::span<const std::uint8_t> left_;
};

}  // namespace mcuota::delta
