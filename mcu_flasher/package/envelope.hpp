#pragma once
// What a package can give to one device: the payloads that fit it, cheapest first, and each of them as the
// envelope that travels (docs/package-format.md §4).

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "mcu_flasher/base/result.hpp"
#include "mcu_flasher/package/package.hpp"
#include "mcu_loader/core/link/target.hpp"
#include "mcu_loader/core/status.hpp"

namespace mcuota::package {

/// A payload cut out for one device, ready for Flasher::send().
struct Envelope {
    Bytes bytes;
    PayloadKind kind;
    std::uint32_t payload_bytes;
    Sha256Digest package_id;  ///< SHA-256 of `bytes`
};

/// The envelope of one payload. `payload_index` is valid for the entry.
[[nodiscard]] Envelope make_envelope(const Entry& entry, std::size_t payload_index);

/// One payload of an entry, seen from one device.
struct Candidate {
    std::size_t payload_index{0};  ///< into the entry's payloads
    PayloadKind kind{PayloadKind::raw};
    std::uint32_t payload_bytes{0};
    std::uint64_t envelope_bytes{0};  ///< what carrying it costs on the wire
    std::string obstacle;             ///< why it does not fit; empty: it does
};
/// "relocated, 9512 bytes".
[[nodiscard]] std::string to_string(const Candidate& candidate);

/// What a package holds for one device.
struct Candidates {
    const Entry* entry{nullptr};     ///< inside the package that was asked
    std::vector<Candidate> fitting;  ///< never empty; cheapest first; of two that cost the same the full
                                     ///< image, then the one that needs less memory
    std::vector<Candidate> unfit;    ///< the others, with their obstacles, cheapest first
};

/// Sorts the payloads for the device by what it reports: kinds, memory, base image by its hash, sizes,
/// counter. `full_only` leaves deltas out. Errors: wrong_hardware (also when linked for another address),
/// key_unknown (signed with another key than the device's current one),
/// security_counter_too_old, image_too_large, no_fitting_payload, nothing_to_do (the image runs there,
/// confirmed).
[[nodiscard]] Result<Candidates> candidates_for(const Package& package, const link::Identity& device,
                                                bool full_only = false);

/// The envelope of the cheapest candidate. Errors as of candidates_for().
[[nodiscard]] Result<Envelope> envelope_for(const Package& package, const link::Identity& device,
                                            bool full_only = false);

/// The key rotation records of the package that a device of this generation has yet to take, in the order it
/// must take them. None for a device that does not tell its keys.
[[nodiscard]] std::vector<Bytes> rotations_for(const Package& package, const link::Identity& device);

/// The device refused this payload, not the package: another payload of the same package may do. All these
/// answers come before anything of the old image is touched (mcu_loader/SPEC.md §6: check and rehearsal).
[[nodiscard]] bool refuses_payload(Status status) noexcept;

}  // namespace mcuota::package
