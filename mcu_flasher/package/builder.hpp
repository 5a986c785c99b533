#pragma once
// Builds signed packages, and decodes them again with the loader's own code.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mcu_flasher/package/base_delta.hpp"
#include "mcu_flasher/package/encode_full.hpp"
#include "mcu_flasher/package/package.hpp"
#include "mcu_flasher/package/signer.hpp"

namespace mcuota::package {

/// Largest image a package may be made of; what a device takes is for the device to say.
constexpr std::uint64_t kImageBytesMax = 16ULL << 20;
/// Where images are linked to unless somebody says otherwise.
constexpr std::uint32_t kLoadAddressDefault = 0x08020000;

/// What a package is to say.
struct BuildRequest {
    std::string hardware;
    std::string version;
    std::uint32_t security_counter{0};
    std::uint32_t load_address{kLoadAddressDefault};
    bool allow_derived{false};  ///< the gateway may send encodings that are not listed
    /// Authorised downgrade: the highest counter of a device that this package may lower. 0: none.
    std::uint32_t downgrade_floor_max{0};
    /// "NAME>=VERSION": devices of the same gateway that must run a version first.
    std::vector<std::string> required;
    /// Key rotation records that come with the package, in any order; `signer` must be current after them.
    std::vector<Bytes> rotations;
    std::uint32_t memory_bytes_max{kDecoderMemoryBytes};
    std::vector<Base> bases;  ///< a delta for each, where that is smaller than the full payload
    std::vector<delta::Format> delta_formats{kDeltaFormats};
    /// Where the deltas' images are linked to, when that is known; guessed for each base otherwise.
    std::optional<std::uint32_t> delta_load_address;
    bool full{true};                ///< list the full payload
    EncodeProgress progress;        ///< of the full payload
    EncodeProgress delta_progress;  ///< of the deltas
};

/// A package of one entry, and what came of the bases.
struct Built {
    Package package;
    EncodedPayload full;  ///< the full payload, also when it is not listed
    std::vector<BaseOutcome> bases;
};

/// A package of one entry with a full payload and deltas, signed; every payload is proven to decode to
/// `image`. usage: names outside their character set, an empty image or base, more bases than payloads may
/// be listed, a requirement of another form, a downgrade that lowers nothing, rotations to another key;
/// image_too_large; no_fitting_payload when without a full payload none would remain.
[[nodiscard]] Result<Built> build(std::span<const std::uint8_t> image, const BuildRequest& request,
                                  const Signer& signer);
/// The same, when only the package matters.
[[nodiscard]] Result<Package> build_package(std::span<const std::uint8_t> image, const BuildRequest& request,
                                            const Signer& signer);

/// The image a payload of `entry` decodes to, checked against the manifest's size and hash. A delta needs its
/// `base`. payload_mismatch (also another base), no_fitting_payload (no base given), or
/// memory_budget_exceeded when the decoder would need more than `memory_bytes_max`.
[[nodiscard]] Result<Bytes> decode_image(const Entry& entry, std::size_t payload_index,
                                         std::span<const std::uint8_t> base = {},
                                         std::uint32_t memory_bytes_max = 64U << 20);

}  // namespace mcuota::package
