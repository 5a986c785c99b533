// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// Machine states from which a run is known to end well. Two runs in the same state (memories, RAM, core, time
// since power-up, gateway) go on alike, so the second one need not be executed to its end.

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace mcuota::board {

class BenchDevice;

/// A table shared with processes forked later. Full: nothing more is learnt.
class ProvenStates {
  public:
    using Fingerprint = std::array<std::uint64_t, 2>;

    ProvenStates();
    ~ProvenStates();
    ProvenStates(const ProvenStates&) = delete;
    ProvenStates& operator=(const ProvenStates&) = delete;

    /// What the device is in; nothing while cells are unsteady, because then its future is not settled.
    [[nodiscard]] static std::optional<Fingerprint> of(BenchDevice& device);
    /// The image that runs first after a proven state (its index), or nothing when the state is new.
    [[nodiscard]] std::optional<std::uint8_t> find(const Fingerprint& state) const;
    void add(const Fingerprint& state, std::uint8_t first_image);

  private:
    struct Entry;
    Entry* entries_{nullptr};
};

}  // namespace mcuota::board
