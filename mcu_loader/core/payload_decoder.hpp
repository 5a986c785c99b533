#pragma once
// Turns a payload into the image: one door for every payload kind. Input is pulled, old is read at random,
// the image is pushed strictly forward. The loader calls it twice: once to rehearse (sink = hash), once to
// apply (sink = flash).

#include <cstddef>
#include <cstdint>
#include <span>

#include "mcu_loader/core/manifest.hpp"

namespace mcuota {

/// Random-access bytes: the staged payload, or the base image.
class ByteSource {
  public:
    /// Fills `out` from `offset`. The caller never asks beyond size_bytes().
    [[nodiscard]] virtual Status read(std::uint32_t offset, std::span<std::uint8_t> out) noexcept = 0;
    [[nodiscard]] virtual std::uint32_t size_bytes() const noexcept = 0;

  protected:
    ~ByteSource() = default;
};

/// Takes the image, forward only, in pieces of any size.
class ByteSink {
  public:
    [[nodiscard]] virtual Status write(std::span<const std::uint8_t> bytes) noexcept = 0;

  protected:
    ~ByteSink() = default;
};

/// Whether payloads of `kind` are deltas: made from a base image.
[[nodiscard]] constexpr bool needs_base(PayloadKind kind) noexcept {
    return kind >= PayloadKind::hdiffsf20;
}

/// Decodes `payload` of `kind` into exactly `image_size_bytes` of output.
/// Checks before the first output byte that everything the headers ask for fits `work` (memory_budget
/// otherwise). `base` is needed for deltas, null otherwise. Errors: payload_malformed (also too short, too
/// long, left-over input), payload_unsupported, memory_budget, or whatever a source or sink answered.
[[nodiscard]] Status decode_payload(PayloadKind kind, ByteSource& payload, ByteSource* base,
                                    std::uint32_t image_size_bytes, std::span<std::uint8_t> work,
                                    ByteSink& sink) noexcept;

/// RAM decode_payload() will ask of `work` for this payload, from its headers alone; 0 when they make no
/// sense.
[[nodiscard]] std::uint32_t payload_memory_bytes(PayloadKind kind, ByteSource& payload,
                                                 std::uint32_t image_size_bytes) noexcept;

}  // namespace mcuota
