#pragma once
// Builds signed packages, and decodes them again with the loader's own code.

#include <cstdint>
#include <span>
#include <string>

#include "mcu_flasher/package/encode_full.hpp"
#include "mcu_flasher/package/package.hpp"
#include "mcu_flasher/package/signer.hpp"

namespace mcuota::package {

/// Largest image a package may be made of; what a device takes is for the device to say.
constexpr std::uint64_t kImageBytesMax = 16ULL << 20;

/// What a package is to say.
struct BuildRequest {
    std::string hardware;
    std::string version;
    std::uint32_t security_counter{0};
    std::uint32_t load_address{0x08020000};
    bool allow_derived{false};  ///< the gateway may send encodings that are not listed
    std::uint32_t memory_bytes_max{kDecoderMemoryBytes};
    EncodeProgress progress;
};

/// A package of one entry with a full payload, signed and proven to decode to `image`.
/// usage: names outside their character set, an empty image; image_too_large.
[[nodiscard]] Result<Package> build_package(std::span<const std::uint8_t> image, const BuildRequest& request,
                                            const Signer& signer);

/// The image a payload of `entry` decodes to, checked against the manifest's size and hash. payload_mismatch,
/// or memory_budget_exceeded when the decoder would need more than `memory_bytes_max`.
[[nodiscard]] Result<Bytes> decode_image(const Entry& entry, std::size_t payload_index,
                                         std::uint32_t memory_bytes_max = 64U << 20);

}  // namespace mcuota::package
