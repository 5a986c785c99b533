// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// mcuota-board prove: power-cut sweeps of the loader over one pair of images.

#include <cstdint>
#include <string>
#include <vector>

#include "virtual_board/models/flash_geometry.hpp"
#include "virtual_board/models/w25q.hpp"

namespace mcuota::board {

struct ProveOptions {
    std::string loader;  ///< ELF or binary
    /// {old,new,next}.bin and the envelopes {old,new,next}.mce that carry them; for wrong-image also
    /// wrong.mce; for the rotations rotation-{1,2,3}.mcuk, rotated-{old,new,next}.mce signed by the key
    /// that is current after two of them, and rotated-again-{new,next}.mce by the one after three.
    std::string folder;
    std::vector<std::string> scenarios;  ///< empty: those that are about every update
    std::uint64_t cuts{0};
    unsigned depth{1};
    std::uint64_t seed{1};
    unsigned jobs{1};
    std::uint32_t security_counter{0};  ///< of all three images
    Part part{Part::single_1mb};
    std::uint32_t nor_part{W25q::kSizeBytes};  ///< bytes: they make the part
    std::string only;
    bool memory{true};     ///< what was learnt of calls and states is used again
    bool executes{false};  ///< the images contain our agent and are executed
};

/// The scenarios there are, in the order they are run.
[[nodiscard]] const std::vector<std::string>& scenario_names();

/// Runs the sweeps; JSON lines on standard output. 0: nothing bricked; 4: something did; 1: it did not work.
[[nodiscard]] int prove(const ProveOptions& options);

}  // namespace mcuota::board
