#pragma once
// Bounds-checked reading and writing of little-endian fields, for the bodies in messages.cpp and
// identity.cpp.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace mcuota::link {

/// Appends fields; once something does not fit, nothing more is written and size() is 0.
class FieldWriter {
  public:
    explicit FieldWriter(std::span<std::uint8_t> out) noexcept : out_(out) {}

    void number(std::uint64_t value, std::size_t bytes) noexcept {
        if (!room(bytes)) return;
        for (std::size_t i = 0; i < bytes; ++i)
            out_[size_++] = static_cast<std::uint8_t>(value >> (8 * i));
    }
    void bytes(std::span<const std::uint8_t> from) noexcept {
        if (!room(from.size())) return;
        for (const std::uint8_t byte : from)
            out_[size_++] = byte;
    }
    void text(std::span<const char> from) noexcept {
        if (!room(from.size())) return;
        for (const char c : from)
            out_[size_++] = static_cast<std::uint8_t>(c);
    }
    [[nodiscard]] std::size_t size() const noexcept { return failed_ ? 0 : size_; }

  private:
    [[nodiscard]] bool room(std::size_t bytes) noexcept {
        if (out_.size() - size_ < bytes) failed_ = true;
        return !failed_;
    }
    std::span<std::uint8_t> out_;
    std::size_t size_{0};
    bool failed_{false};
};

/// Takes fields off the front; past the end it yields zeros and ok() is false from then on.
class FieldReader {
  public:
    explicit FieldReader(std::span<const std::uint8_t> in) noexcept : in_(in) {}

    [[nodiscard]] std::span<const std::uint8_t> bytes(std::size_t count) noexcept {
        if (in_.size() < count) {
            ok_ = false;
            in_ = {};
            return {};
        }
        const auto out = in_.first(count);
        in_ = in_.subspan(count);
        return out;
    }
    [[nodiscard]] std::uint64_t u64(std::size_t count = 8) noexcept {
        std::uint64_t value = 0;
        std::size_t shift = 0;
        for (const std::uint8_t byte : bytes(count)) {
            value |= static_cast<std::uint64_t>(byte) << shift;
            shift += 8;
        }
        return value;
    }
    [[nodiscard]] std::uint32_t u32() noexcept { return static_cast<std::uint32_t>(u64(4)); }
    [[nodiscard]] std::uint16_t u16() noexcept { return static_cast<std::uint16_t>(u64(2)); }
    [[nodiscard]] std::uint8_t u8() noexcept { return static_cast<std::uint8_t>(u64(1)); }
    template <std::size_t Count>
    void copy(std::array<std::uint8_t, Count>& out) noexcept {
        const auto from = bytes(Count);
        for (std::size_t i = 0; i < from.size(); ++i)
            out[i] = from[i];
    }
    [[nodiscard]] std::span<const std::uint8_t> rest() noexcept { return bytes(in_.size()); }
    [[nodiscard]] bool empty() const noexcept { return in_.empty(); }
    [[nodiscard]] bool ok() const noexcept { return ok_; }
    /// Everything was there and nothing is left over.
    [[nodiscard]] bool done() const noexcept { return ok_ && in_.empty(); }

  private:
    std::span<const std::uint8_t> in_;
    bool ok_{true};
};

}  // namespace mcuota::link
