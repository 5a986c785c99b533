#pragma once
// The one door for deltas on the host: makes and applies all three formats (docs/deltas.md).

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "mcu_flasher/base/result.hpp"
#include "mcu_loader/core/manifest.hpp"

namespace mcuota::delta {

/// The formats, with the payload kinds' numbers.
enum class Format : std::uint8_t {
    hdiffsf20 = static_cast<std::uint8_t>(PayloadKind::hdiffsf20),
    hdiff13 = static_cast<std::uint8_t>(PayloadKind::hdiff13),
    relocated = static_cast<std::uint8_t>(PayloadKind::relocated),  ///< our own: far smaller for firmware
};

/// "hdiffsf20", "hdiff13", "mcuota": as options name them.
[[nodiscard]] std::string_view to_string(Format format) noexcept;
[[nodiscard]] std::optional<Format> format_from_string(std::string_view name) noexcept;
[[nodiscard]] constexpr PayloadKind payload_kind(Format format) noexcept {
    return static_cast<PayloadKind>(format);
}

/// Decoder memory that deltas of a format are made for unless told otherwise.
[[nodiscard]] std::uint32_t memory_bytes_default(Format format) noexcept;

/// Largest image encode() takes and decode() gives out.
constexpr std::uint32_t kImageBytesMax = 64U << 20;

struct EncodeOptions {
    /// Where both images are linked to, for the relocated format; guessed when absent.
    std::optional<std::uint32_t> load_address;
    /// Most memory the decoder may need; memory_bytes_default() when absent.
    std::optional<std::uint32_t> memory_bytes_max;
};

struct EncodedDelta {
    std::vector<std::uint8_t> bytes;
    std::uint32_t memory_bytes{0};  ///< what its decoder needs
};

/// A delta from `old_image` to `new_image`, either of which may be empty. It has been decoded with the
/// loader's own decoder and compared. Deterministic. Errors: image_too_large; memory_budget_exceeded when no
/// delta fits the memory; internal when what was made does not decode (nothing is given out then).
[[nodiscard]] Result<EncodedDelta> encode(Format format, std::span<const std::uint8_t> old_image,
                                          std::span<const std::uint8_t> new_image,
                                          const EncodeOptions& options = {});

/// Which format `delta` is in, by its first bytes.
[[nodiscard]] std::optional<Format> recognise(std::span<const std::uint8_t> delta) noexcept;

/// Applies a delta of any format. Errors: package_malformed when it is none or damaged, payload_mismatch when
/// it is for another old image (by size: the formats hold no more; packages do), memory_budget_exceeded,
/// image_too_large.
[[nodiscard]] Result<std::vector<std::uint8_t>> decode(std::span<const std::uint8_t> old_image,
                                                       std::span<const std::uint8_t> delta,
                                                       std::uint32_t memory_bytes_max = 64U << 20);

/// Where an image is linked to, judged by which address makes most odd words point at function prologues.
/// Nothing when there is no evidence.
[[nodiscard]] std::optional<std::uint32_t> guess_load_address(std::span<const std::uint8_t> image);

}  // namespace mcuota::delta
