#pragma once
// The signed manifest of a package: parsing and encoding of its one valid byte form (docs/package-format.md
// §3).

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "mcu_loader/core/sha256.hpp"
#include "mcu_loader/core/status.hpp"

namespace mcuota {

constexpr std::size_t kManifestBytesMax = 2048;
constexpr std::size_t kSignatureBytesMax = 256;
constexpr std::size_t kHardwareBytesMax = 32;
constexpr std::size_t kVersionBytesMax = 64;
constexpr std::size_t kPayloadsMax = 16;
constexpr std::size_t kRequiresMax = 4;

/// How a payload encodes the image. Wire value: append only.
enum class PayloadKind : std::uint8_t {
    raw = 1,         ///< the image itself
    lzma = 2,        ///< 5 bytes LZMA properties, then a raw LZMA1 stream without end marker
    lzma_thumb = 3,  ///< as lzma, of the image after the ARM-Thumb branch filter (xz filter id 0x08, start 0)
    hdiffsf20 = 4,   ///< HDiffPatch single stream
    hdiff13 = 5,     ///< HDiffPatch four sections
    relocated = 6,   ///< our relocation-predicting delta
};

/// Signature algorithm. Wire value: append only.
enum class SignatureAlgorithm : std::uint8_t {
    ecdsa_p256_sha256 = 1,      ///< signature = r||s, 64 bytes
    rsa_2048_pkcs1_sha256 = 2,  ///< signature = 256 bytes
};

/// First 8 bytes of SHA-256 over the public key's DER SubjectPublicKeyInfo.
using KeyId = std::array<std::uint8_t, 8>;

/// Text of bounded length without heap; characters are checked by the manifest parser.
template <std::size_t Max>
struct BoundedText {
    std::array<char, Max> bytes{};
    std::uint8_t length{0};
    [[nodiscard]] std::string_view view() const noexcept { return {bytes.data(), length}; }
};

/// One approved encoding of the image.
struct PayloadEntry {
    PayloadKind kind{PayloadKind::raw};
    std::uint32_t size_bytes{0};
    Sha256Digest sha256{};             ///< of the payload's bytes
    std::uint32_t base_size_bytes{0};  ///< deltas: size of the base image; else 0
    Sha256Digest base_sha256{};        ///< deltas: hash of the base image; else zeros
    std::uint32_t memory_bytes{0};     ///< RAM the decoder needs, dictionary included
};

/// A device beside this one (by its name or its hardware id) that must run `version` or newer, confirmed. The
/// gateway enforces it; the loader only keeps to the form. Text in the manifest: `NAME>=VERSION`.
struct Requirement {
    BoundedText<kHardwareBytesMax> name;
    BoundedText<kVersionBytesMax> version;
};

/// The manifest, decoded.
struct Manifest {
    BoundedText<kHardwareBytesMax> hardware;
    BoundedText<kVersionBytesMax> version;
    std::uint32_t security_counter{0};
    std::uint32_t image_size_bytes{0};
    Sha256Digest image_sha256{};
    std::uint32_t load_address{0};
    SignatureAlgorithm algorithm{SignatureAlgorithm::ecdsa_p256_sha256};
    KeyId key_id{};
    std::uint32_t flags{0};  ///< kFlag…
    /// Authorised downgrade: the highest security-counter floor of a device this package may lower; 0 = none.
    std::uint32_t downgrade_floor_max{0};
    std::uint8_t requires_count{0};
    std::array<Requirement, kRequiresMax> required{};  ///< ascending by their text, no two alike
    std::uint8_t payload_count{0};
    std::array<PayloadEntry, kPayloadsMax> payloads{};
};

constexpr std::uint32_t kFlagAllowDerived = 1U << 0;  ///< payloads not listed may carry this manifest, too

/// Whether an image may be installed or put back over a security counter floor: its counter is no lower, or
/// its manifest is authorised to lower a floor as high as this one.
[[nodiscard]] constexpr bool counter_allowed(const Manifest& manifest, std::uint32_t floor) noexcept {
    return manifest.security_counter >= floor || manifest.downgrade_floor_max >= floor;
}

/// The floor once such an image is confirmed or put back: never lower, but for an authorised downgrade.
[[nodiscard]] constexpr std::uint32_t floor_after(const Manifest& manifest, std::uint32_t floor) noexcept {
    return manifest.downgrade_floor_max >= floor || manifest.security_counter > floor
               ? manifest.security_counter
               : floor;
}

/// Decodes `bytes`. Refuses with manifest_malformed whatever encode_manifest() would not have written: wrong
/// order, duplicate or unknown fields, bad lengths, characters outside [A-Za-z0-9._+-], trailing bytes, zero
/// sizes, a downgrade that lowers nothing.
[[nodiscard]] Status parse_manifest(std::span<const std::uint8_t> bytes, Manifest& out) noexcept;

/// Writes the one valid form. Returns the number of bytes, or 0 when `out` is too small or `manifest` cannot
/// be expressed (an empty text, a size of zero, characters outside the set, requirements out of order).
[[nodiscard]] std::size_t encode_manifest(const Manifest& manifest, std::span<std::uint8_t> out) noexcept;

}  // namespace mcuota
