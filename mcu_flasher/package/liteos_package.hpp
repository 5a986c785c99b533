#pragma once
// The original scheme's device package (LiteOS, branch iot_link): [256 bytes RSA-2048 signature of all that
// follows, may be missing] [32 bytes information] [HDIFF13 delta; from an empty image when it is a full
// package]. Byte 0 of the information says 0 full or 1 delta, the rest is reserved; its loader looks at
// neither.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace mcuota::package {

constexpr std::size_t kLiteosInfoBytes = 32;
constexpr std::size_t kLiteosSignatureBytes = 256;

/// Parts of such a package; the spans point into the file.
struct LiteosPackage {
    std::span<const std::uint8_t> signature;     ///< empty when there is none
    std::span<const std::uint8_t> signed_bytes;  ///< information and delta
    std::span<const std::uint8_t> delta;
    std::uint8_t kind{0};  ///< byte 0 of the information: 0 full, 1 delta
};

/// Recognised by the HDIFF13 delta at one of its two places.
[[nodiscard]] std::optional<LiteosPackage> recognise_liteos(std::span<const std::uint8_t> file);

/// Information and delta, without signature. `differential`: the delta starts from an image.
[[nodiscard]] std::vector<std::uint8_t> make_liteos(std::span<const std::uint8_t> hdiff13, bool differential);

}  // namespace mcuota::package
