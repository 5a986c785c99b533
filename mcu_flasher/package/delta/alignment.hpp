#pragma once
// Chooses covers: which bytes of new come from which of old, so that coding covers, surprises and literals
// costs least.

#include <cstdint>
#include <span>
#include <vector>

#include "mcu_loader/core/delta/cover.hpp"

namespace mcuota::delta {

/// What things cost in the coded stream, in bits (found by measuring; the encoder tries several).
struct AlignmentCosts {
    double literal{5.5};        ///< a byte told outright
    double new_cover{39};       ///< a cover, jump and lengths included
    double first_surprise{14};  ///< a covered byte that differs, after one that did not
    double next_surprise{7};    ///< one that follows another
    double same_surprise{6};    ///< one that differs by as much as the one before on the same offset
    double as_expected{0.03};
    double begin_literals{4.8};
    unsigned match_bytes_min{3};  ///< shortest match that may open a cover
};

/// Covers of the cheapest way to tell `new_image` by `old_image`, as a shortest path over the offsets between
/// both that are worth following. `earlier` (of another pass) are tried as well. Deterministic; linear in the
/// image but for the searches.
[[nodiscard]] std::vector<Cover> align(std::span<const std::uint8_t> old_image,
                                       std::span<const std::uint8_t> new_image, const AlignmentCosts& costs,
                                       std::span<const Cover> earlier);

}  // namespace mcuota::delta
