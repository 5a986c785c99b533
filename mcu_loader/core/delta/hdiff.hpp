#pragma once
// What the two HDiffPatch formats share: numbers, covers, sections that are raw or LZMA (shared specs: delta
// formats §0).

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "mcu_loader/core/lzma_stream.hpp"
#include "mcu_loader/core/payload_decoder.hpp"

namespace mcuota::delta {

/// Takes numbers and bytes from anything with `std::uint32_t next_byte()` and `bool failed()`; remembers
/// nonsense.
template <class Source>
[[nodiscard]] std::uint32_t take_number(Source& source, unsigned tag_bits, unsigned& tag,
                                        bool& sound) noexcept {
    const std::uint32_t first = source.next_byte();
    tag = tag_bits == 0 ? 0 : first >> (8 - tag_bits);
    bool more = (first >> (7 - tag_bits) & 1U) != 0;
    std::uint64_t value = first & ((1U << (7 - tag_bits)) - 1U);
    while (more && sound && !source.failed()) {
        const std::uint32_t byte = source.next_byte();
        value = value << 7 | (byte & 0x7FU);
        more = (byte & 0x80U) != 0;
        if (value > UINT32_MAX) sound = false;
    }
    return static_cast<std::uint32_t>(value);
}

template <class Source>
[[nodiscard]] std::uint32_t take_number(Source& source, bool& sound) noexcept {
    unsigned tag = 0;
    return take_number(source, 0, tag, sound);
}

/// Bytes of the payload itself, read forward through a small buffer.
class PayloadReader {
  public:
    PayloadReader(ByteSource& source, std::uint32_t offset) noexcept : source_(source), offset_(offset) {}
    std::uint32_t next_byte() noexcept;
    [[nodiscard]] bool failed() const noexcept { return status_ != Status::ok || missing_; }
    [[nodiscard]] Status status() const noexcept { return status_; }
    /// Offset of the next byte.
    [[nodiscard]] std::uint32_t position() const noexcept { return offset_ - (filled_ - at_); }

  private:
    ByteSource& source_;
    std::uint32_t offset_;
    std::array<std::uint8_t, 64> buffer_{};
    std::uint32_t at_{0}, filled_{0};
    bool missing_{false};
    Status status_{Status::ok};
};

enum class Compression : std::uint8_t { none, lzma };

/// The head both formats begin with: magic, '&', compression name, 0. False when it is another or unknown.
[[nodiscard]] bool take_magic(PayloadReader& reader, std::string_view magic,
                              Compression& compression) noexcept;

/// Where a section lies and how it is packed.
struct Section {
    std::uint32_t offset{0};
    std::uint32_t stored_bytes{0};
    std::uint32_t plain_bytes{0};
    bool packed{false};

    /// Work memory its reader needs; 0 and `sound` false when its properties make no sense.
    [[nodiscard]] std::uint32_t memory_bytes(ByteSource& payload, bool& sound) const noexcept;
};

/// A section's plain bytes, forward only. Payload and work memory must outlive it.
class SectionReader {
  public:
    [[nodiscard]] Status open(ByteSource& payload, const Section& section,
                              std::span<std::uint8_t> work) noexcept;
    std::uint32_t next_byte() noexcept {
        if (at_ == piece_.size() && !refill()) return 0;
        --left_;
        return piece_[at_++];
    }
    [[nodiscard]] bool failed() const noexcept { return status_ != Status::ok; }
    [[nodiscard]] Status status() const noexcept { return status_; }
    [[nodiscard]] std::uint32_t left_bytes() const noexcept { return left_; }

  private:
    bool refill() noexcept;

    ByteSource* payload_{nullptr};
    LzmaStream lzma_;
    bool packed_{false};
    std::uint32_t offset_{0}, left_{0};
    std::span<std::uint8_t> buffer_;
    std::span<const std::uint8_t> piece_;
    std::size_t at_{0};
    Status status_{Status::ok};
};

}  // namespace mcuota::delta
