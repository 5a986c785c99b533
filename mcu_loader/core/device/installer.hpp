#pragma once
// Performs installations and restores: check → rehearse → back up → apply → verify, every step journalled
// before its effect (mcu_loader/DESIGN.md argues why a cut at any instant leads back). Only the loader has
// one.

#include <array>
#include <cstdint>
#include <span>

#include "mcu_loader/core/device/board.hpp"
#include "mcu_loader/core/device/boot_decision.hpp"
#include "mcu_loader/core/device/journal.hpp"
#include "mcu_loader/core/device/manifest_slot.hpp"
#include "mcu_loader/core/device/staging.hpp"
#include "mcu_loader/core/signature.hpp"

namespace mcuota::device {

constexpr std::uint32_t kRunningUnitsMax = 32;

/// Hears how the work goes on (PROGRESS events on the link) and asks whether somebody wants the loader to
/// stay.
class LoaderHooks {
  public:
    virtual void progress(std::uint64_t token, link::Step step, std::uint8_t percent) noexcept = 0;
    /// Called once before an application is started: listens for a HELLO that asks to stay. Bounded by the
    /// port.
    [[nodiscard]] virtual bool stay_asked() noexcept = 0;

  protected:
    ~LoaderHooks() = default;
};

/// What the loader needs of its port, wired once.
struct LoaderParts {
    Storage& storage;
    Board& board;
    const Product& product;
    std::span<const PublicKey> keys;  ///< built in: current, then next
    std::span<std::uint8_t> work;     ///< decoder memory; at least 4 KiB
    LoaderHooks& hooks;
};

/// About 9 KiB: make it static.
class Installer {
  public:
    Installer(const LoaderParts& parts, Journal& journal, Staging& staging, KeyChain& keys) noexcept;

    /// One attempt of the journalled installation. ok: the journal stands at trial. Anything else: nothing
    /// more was done and the caller decides (retry, give up, restore) by the journal's phase.
    [[nodiscard]] Status install() noexcept;
    /// Puts the backup back (phase rollback_requested, trial, applying, restoring or idle). ok: the running
    /// region holds it, verified, and the journal stands at idle with `outcome`. backup_missing,
    /// backup_damaged, security_counter_old: found before anything was touched. Storage errors: journal
    /// stands at restoring.
    [[nodiscard]] Status restore(Status cause) noexcept;
    /// Verifies signature and hash of what the journal says is running. Answers a storage error or ok.
    [[nodiscard]] Status examine_running(RunningImage& out) noexcept;
    /// Whether there is a backup whose manifest is authentic and new enough. Its bytes are checked by
    /// restore(). Answers a storage error or ok.
    [[nodiscard]] Status examine_backup(bool& held) noexcept;

  private:
    class Rehearsal;
    class UnitWriter;
    /// A part of the running region that is erased as one.
    struct Unit {
        std::uint32_t offset;
        std::uint32_t image_bytes;  ///< bytes of the image in it
        bool steady;                ///< was not in flight
        bool same;                  ///< is steady and holds them already; found by the rehearsal
    };

    [[nodiscard]] std::span<Unit> units() noexcept { return std::span{units_}.first(unit_count_); }
    void plan_units(std::uint32_t image_bytes) noexcept;
    /// Whether the region holds, from `offset` on, the image of `manifest`.
    [[nodiscard]] Status holds(Region region, std::uint32_t offset, const Manifest& manifest,
                               bool& whole) noexcept;
    [[nodiscard]] Status check(const Manifest*& base) noexcept;
    [[nodiscard]] Status find_base(const Manifest*& base) noexcept;
    [[nodiscard]] Status rehearse(const Manifest* base) noexcept;
    [[nodiscard]] Status back_up(const Manifest& running, bool& kept) noexcept;
    [[nodiscard]] Status copy_to_backup(const Manifest& running, Bank bank) noexcept;
    [[nodiscard]] Status begin_apply() noexcept;
    [[nodiscard]] Status reserve_journal(std::uint32_t writings) noexcept;
    [[nodiscard]] Status apply() noexcept;
    [[nodiscard]] Status verify_applied() noexcept;
    [[nodiscard]] Status check_backup() noexcept;
    [[nodiscard]] Status write_back() noexcept;
    [[nodiscard]] std::uint32_t backup_offset() const noexcept {
        return bank_offset(parts_.storage, journal_.state().backup_bank);
    }
    [[nodiscard]] Status examine_vectors(const Manifest& manifest, RunningImage& out) noexcept;
    /// `total` is not 0: no image is empty.
    void tell(link::Step step, std::uint32_t done, std::uint32_t total) noexcept;

    LoaderParts parts_;
    Journal& journal_;
    Staging& staging_;
    KeyChain& keys_;
    SignedManifest package_{};  ///< what is being installed or put back
    SignedManifest present_{};  ///< what runs, or what a delta starts from
    std::array<Unit, kRunningUnitsMax> units_{};
    std::uint32_t unit_count_{0};
    Slot verified_slot_{Slot::none};  ///< written and hashed since this start: no need to hash it again
    link::Step told_step_{};
    std::uint8_t told_percent_{0xFF};
};

}  // namespace mcuota::device
