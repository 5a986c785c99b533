#pragma once
// Consistent Overhead Byte Stuffing (Cheshire & Baker 1999): bytes without 00, so that 00 can end a frame.
// One byte at a time in both directions; freestanding.

#include <cstddef>
#include <cstdint>
#include <span>

namespace mcuota::link {

/// Longest encoding of `bytes` bytes, without the closing 00.
[[nodiscard]] constexpr std::size_t cobs_bytes_max(std::size_t bytes) noexcept {
    return bytes + bytes / 254 + 1;
}

/// Encodes into a caller's buffer. After an overflow size() is 0 and stays so.
class CobsEncoder {
  public:
    explicit CobsEncoder(std::span<std::uint8_t> out) noexcept : out_(out) {}
    void push(std::span<const std::uint8_t> bytes) noexcept;
    /// Closes the last group; the closing 00 is the caller's. Returns the bytes written, 0 after an overflow.
    [[nodiscard]] std::size_t finish() noexcept;

  private:
    void open_group() noexcept;

    std::span<std::uint8_t> out_;
    std::size_t code_at_{0};
    std::size_t size_{0};
    std::uint8_t code_{0};  ///< 0: no group open
    bool overflow_{false};
};

/// Decodes what stands between two 00 bytes; the caller keeps the 00 bytes away.
class CobsDecoder {
  public:
    /// What one encoded byte yields: nothing, or one decoded byte.
    struct Step {
        bool has_byte;
        std::uint8_t byte;
    };
    [[nodiscard]] Step push(std::uint8_t encoded) noexcept;
    /// Whether the bytes so far are a whole encoding.
    [[nodiscard]] bool complete() const noexcept { return begun_ && left_ == 0; }
    /// Whether anything was pushed since the last reset.
    [[nodiscard]] bool begun() const noexcept { return begun_; }
    void reset() noexcept { *this = CobsDecoder{}; }

  private:
    std::uint8_t left_{0};      ///< bytes of the group still to come
    bool zero_follows_{false};  ///< the group ends in a 00 unless the frame ends first
    bool begun_{false};
};

}  // namespace mcuota::link
