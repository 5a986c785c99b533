// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// The files of one proof: a loader, three images, and what carries them to a device.

#include <array>
#include <cstddef>
#include <vector>

#include "virtual_board/failure.hpp"
#include "virtual_board/prove/prove_command.hpp"
#include "virtual_board/prove/scenario_kinds.hpp"

namespace mcuota::board {

/// What ProveOptions::folder and ProveOptions::loader hold, read.
struct Case {
    Bytes loader;
    std::array<Bytes, 3> images, envelopes;
    // Only when they are asked for:
    Bytes wrong;  ///< an envelope
    /// Envelopes signed by the key that is current after two and after three rotations.
    std::array<Bytes, 3> twice_rotated;
    std::array<Bytes, 3> again_rotated;             ///< without the old image
    std::vector<Bytes> rotations, rotations_again;  ///< two, and three

    [[nodiscard]] const Bytes& envelope(const ScenarioKind& kind, std::size_t image) const {
        return kind.rotations == 3   ? again_rotated[image]
               : kind.rotations == 2 ? twice_rotated[image]
                                     : envelopes[image];
    }
    [[nodiscard]] const std::vector<Bytes>* rotations_of(const ScenarioKind& kind) const {
        return kind.rotations == 3 ? &rotations_again : kind.rotations == 2 ? &rotations : nullptr;
    }
};

/// Reads them from the folder of the options; those for `wrong` packages and for key rotations only when
/// asked to.
[[nodiscard]] Outcome<Case> load_case(const ProveOptions& options, bool wrong, bool rotates);

}  // namespace mcuota::board
