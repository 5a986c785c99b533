#pragma once
// Encodes a whole image as a payload: raw, LZMA, or ARM-Thumb filter and LZMA, whichever is smallest within
// the memory a loader has. Deterministic for one version of liblzma.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "mcu_flasher/base/result.hpp"
#include "mcu_loader/core/manifest.hpp"

namespace mcuota::package {

/// Decoder memory every loader of this project has at least: tables, dictionary and buffers.
constexpr std::uint32_t kDecoderMemoryBytes = 96U << 10;
/// Larger dictionaries gain little on images of this size and cost RAM.
constexpr std::uint32_t kDictionaryBytesMax = 64U << 10;

/// A payload with what the manifest says about it.
struct EncodedPayload {
    PayloadKind kind{PayloadKind::raw};
    std::vector<std::uint8_t> bytes;
    std::uint32_t memory_bytes{0};
};

/// Called between trials with how many are done, and how many there are.
using EncodeProgress = std::function<void(std::size_t done, std::size_t total)>;

/// The smallest full payload whose decoder needs at most `memory_bytes_max`. `image` is not empty.
[[nodiscard]] Result<EncodedPayload> encode_full(std::span<const std::uint8_t> image,
                                                 std::uint32_t memory_bytes_max = kDecoderMemoryBytes,
                                                 const EncodeProgress& progress = {});

}  // namespace mcuota::package
