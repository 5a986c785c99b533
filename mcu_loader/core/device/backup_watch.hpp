#pragma once
// Proves the backup while the application runs, a little at a time: damage is known before the backup is
// needed. Only the agent has one.

#include <cstdint>

#include "mcu_loader/core/device/journal.hpp"
#include "mcu_loader/core/device/manifest_slot.hpp"
#include "mcu_loader/core/sha256.hpp"

namespace mcuota::device {

/// Hashes the backup the journal names and compares it with its manifest. A first mismatch is looked at once
/// more before it is believed: a wire may flip a bit.
class BackupWatch {
  public:
    /// `scratch` is free between requests of the gateway (DeviceTarget::scratch()).
    BackupWatch(Storage& storage, Journal& journal, SignedManifest& scratch) noexcept
        : storage_{storage}, journal_{journal}, scratch_{scratch} {}

    /// One bounded piece of work while there is something to prove: reads and hashes a kibibyte. False when
    /// the present backup is proven, found damaged, or cannot be read.
    bool step() noexcept;
    /// Everything is proven anew; damaged() keeps its answer meanwhile.
    void again() noexcept { begin_ = true; }
    /// Whether the bytes of the backup the journal names were found to be wrong.
    [[nodiscard]] bool damaged() const noexcept { return damaged_; }

  private:
    [[nodiscard]] bool another_backup() const noexcept;
    bool start() noexcept;
    bool finish() noexcept;
    bool misfit() noexcept;

    Storage& storage_;
    Journal& journal_;
    SignedManifest& scratch_;
    Slot slot_{Slot::none};  ///< of the backup under examination
    Bank bank_{Bank::first};
    bool begin_{false};
    bool damaged_{false};
    bool doubted_{false};           ///< the first pass did not fit
    std::uint32_t image_bytes_{0};  ///< 0: nothing under way
    std::uint32_t offset_{0};
    Sha256Digest image_sha256_{};
    Sha256 hash_;
};

}  // namespace mcuota::device
