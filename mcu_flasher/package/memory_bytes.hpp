#pragma once
// Byte vectors as the loader's ByteSource and ByteSink: how the host runs the loader's own decoder.

#include <algorithm>
#include <span>
#include <vector>

#include "mcu_loader/core/payload_decoder.hpp"

namespace mcuota::package {

/// Reads from bytes that outlive it.
class MemorySource final : public ByteSource {
  public:
    explicit MemorySource(std::span<const std::uint8_t> bytes) noexcept : bytes_(bytes) {}
    Status read(std::uint32_t offset, std::span<std::uint8_t> out) noexcept override {
        if (offset > bytes_.size() || out.size() > bytes_.size() - offset) return Status::out_of_range;
        std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
        return Status::ok;
    }
    [[nodiscard]] std::uint32_t size_bytes() const noexcept override {
        return static_cast<std::uint32_t>(bytes_.size());
    }

  private:
    std::span<const std::uint8_t> bytes_;
};

/// Fills a buffer of fixed size; more than fits is payload_malformed.
class MemorySink final : public ByteSink {
  public:
    explicit MemorySink(std::span<std::uint8_t> room) noexcept : room_(room) {}
    Status write(std::span<const std::uint8_t> bytes) noexcept override {
        if (bytes.size() > room_.size()) return Status::payload_malformed;
        std::copy(bytes.begin(), bytes.end(), room_.begin());
        room_ = room_.subspan(bytes.size());
        return Status::ok;
    }
    /// Bytes still missing.
    [[nodiscard]] std::size_t missing() const noexcept { return room_.size(); }

  private:
    std::span<std::uint8_t> room_;
};

}  // namespace mcuota::package
