#pragma once
// Delta payloads for the images devices may run now: per base the smallest delta, unless none is worth it.

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mcu_flasher/package/delta/delta.hpp"
#include "mcu_flasher/package/encode_full.hpp"

namespace mcuota::package {

/// An image devices may run now. The bytes outlive the request.
struct Base {
    std::span<const std::uint8_t> image;
    std::string name;  ///< for people: "app-1.9.0.bin (1.9.0)"
};

/// What came of a base, in the order the bases were given.
struct BaseOutcome {
    std::string name;
    std::uint32_t base_bytes{0};
    Sha256Digest base_sha256{};
    std::string left_out;  ///< why there is no payload for it; empty when there is one
    EncodedPayload delta;  ///< the smallest one, also when it was left out for its size
};

/// Formats tried by default. HDIFF13 is left to those who ask: HDIFFSF20 does the same in less memory.
inline const std::vector<delta::Format> kDeltaFormats = {delta::Format::relocated, delta::Format::hdiffsf20};

struct DeltaRequest {
    std::vector<delta::Format> formats{kDeltaFormats};
    std::optional<std::uint32_t> load_address;  ///< where both images are linked to; guessed when absent
    std::uint32_t memory_bytes_max{kDecoderMemoryBytes};
    std::size_t worth_below_bytes{0};  ///< a delta of this size or more is left out: the full payload's size
    EncodeProgress progress;           ///< counts deltas tried
};

/// One outcome per base; every delta has been decoded and compared. Errors: usage when a base is empty,
/// image_too_large, internal.
[[nodiscard]] Result<std::vector<BaseOutcome>> encode_bases(std::span<const Base> bases,
                                                            std::span<const std::uint8_t> image,
                                                            const DeltaRequest& request);

}  // namespace mcuota::package
