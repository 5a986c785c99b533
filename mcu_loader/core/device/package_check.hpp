#pragma once
// The rules a staged package must pass before anything is touched: one function for loader and agent.

#include <cstdint>
#include <span>

#include "mcu_loader/core/device/board.hpp"
#include "mcu_loader/core/device/journal.hpp"
#include "mcu_loader/core/device/manifest_slot.hpp"
#include "mcu_loader/core/device/staging.hpp"

namespace mcuota::device {

/// What the rules compare the package with.
struct CheckAgainst {
    const Product& product;
    KeyChain* keys;                 ///< null (agent without keys): the signature is left to the loader
    std::uint32_t image_bytes_max;  ///< size of the running region
    std::uint32_t security_counter_floor;
    const Manifest* base;       ///< image a delta may start from; null = none
    const Manifest* confirmed;  ///< image that runs confirmed and whole; null = none
};

/// Reads the manifest of the staged envelope into `out` and applies every rule, cheapest first; hashes the
/// payload last. Answers package_incomplete, manifest_malformed, key_unknown, signature_invalid,
/// algorithm_unsupported, wrong_hardware, wrong_load_address, image_too_large, security_counter_old,
/// already_running, payload_unsupported, payload_not_listed, base_mismatch, payload_hash_mismatch,
/// payload_malformed, memory_budget, or a storage error.
[[nodiscard]] Status check_package(Staging& staging, Board& board, const CheckAgainst& against,
                                   SignedManifest& out) noexcept;

}  // namespace mcuota::device
