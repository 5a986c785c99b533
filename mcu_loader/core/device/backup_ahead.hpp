#pragma once
// Makes the next backup while the application runs: copies the running image into the spare bank, a little at
// a time, so that an installation only has to prove it. Only the agent has one.

#include <cstdint>

#include "mcu_loader/core/device/board.hpp"
#include "mcu_loader/core/device/journal.hpp"
#include "mcu_loader/core/device/manifest_slot.hpp"
#include "mcu_loader/core/sha256.hpp"

namespace mcuota::device {

/// The backup held so far stays untouched in its own bank. The journal says when the copy is whole; without
/// that word it counts for nothing and is made anew: a power cut in the middle may have left marginal cells.
class BackupAhead {
  public:
    /// `scratch` is free between requests of the gateway (DeviceTarget::scratch()).
    BackupAhead(Storage& storage, Board& board, Journal& journal, SignedManifest& scratch) noexcept
        : storage_{storage}, board_{board}, journal_{journal}, scratch_{scratch} {}

    /// One bounded piece of work when there is something to copy: erases one erase unit, or programs one
    /// page. Call it while the gateway is quiet. False when nothing is left to do until the journal changes,
    /// or after the memory has failed: the loader then makes the backup itself.
    bool step() noexcept;

  private:
    [[nodiscard]] bool wanted() const noexcept;
    [[nodiscard]] Status begin() noexcept;
    [[nodiscard]] Status copy_page(std::uint32_t bank) noexcept;
    [[nodiscard]] Status end() noexcept;

    Storage& storage_;
    Board& board_;
    Journal& journal_;
    SignedManifest& scratch_;
    std::uint32_t image_bytes_{0};  ///< 0: nothing under way
    Sha256Digest image_sha256_{};
    std::uint32_t offset_{0};        ///< copied so far
    std::uint32_t erased_until_{0};  ///< from the start of the bank
    Sha256 hash_;
    bool failed_{false};
};

}  // namespace mcuota::device
