// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// States from which a run is known to end well. Two runs in the same state go on alike, so the second one
// need not be executed to its end.

#include <cstdint>
#include <optional>

#include "virtual_board/prove/hasher.hpp"

namespace mcuota::board {

class BenchDevice;
struct EraseUnit;

/// A table shared with processes forked later. Full: nothing more is learnt.
class ProvenStates {
  public:
    ProvenStates();
    ~ProvenStates();
    ProvenStates(const ProvenStates&) = delete;
    ProvenStates& operator=(const ProvenStates&) = delete;

    /// What a running device has besides its lasting memories: RAM, core, peripherals, time since its start,
    /// gateway.
    [[nodiscard]] static Fingerprint running(BenchDevice& device);
    /// What outlives a start: memories and their unsteady cells, and what is being proven. With `unseen`
    /// whatever these cells hold: all others are steady (BenchDevice::steady_outside()). A device without
    /// power that is about to get it has nothing else.
    [[nodiscard]] static Fingerprint lasting(BenchDevice& device, const EraseUnit* unseen = nullptr);
    /// The image that runs first after a proven state (its index), or nothing when the state is new.
    [[nodiscard]] std::optional<std::uint8_t> find(const Fingerprint& state) const;
    void add(const Fingerprint& state, std::uint8_t first_image);

  private:
    struct Entry;
    Entry* entries_{nullptr};
};

}  // namespace mcuota::board
