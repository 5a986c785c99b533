// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
// The kinds of jobs mcuota-board prove cuts the power in: how a device begins, what it is asked, and how that
// must end.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "virtual_board/prove/bench_device.hpp"

namespace mcuota::board {

/// Places of the three images of a case in its lists.
inline constexpr std::size_t kOld = 0, kNew = 1, kNext = 2;
/// Statuses of jobs' ends (mcu_loader/core/status.def).
inline constexpr std::uint16_t kOk = 0x0000, kTrialNotConfirmed = 0x0404, kTrialWatchdog = 0x0405,
                               kRolledBack = 0x0408, kImageHashMismatch = 0x0210, kBackupDamaged = 0x0407;

struct ScenarioKind {
    const char* name;
    AppBehaviour fresh{AppBehaviour::confirms};  ///< of the new image
    bool rollback{false};                        ///< the job is a rollback from the new image to the old one
    std::uint16_t outcome{kOk};                  ///< that the device must tell
    std::optional<std::size_t> image{kNew};      ///< that must run in the end
    std::optional<std::uint16_t> outcome_after_cuts{};  ///< that it may tell instead, when power was lost
    bool roll_over{false};                              ///< the journal's sector is nearly full
    /// The loader is judged by it, not the update: run only when it is asked for.
    bool loaders_own{false};
    std::optional<JournalPhase> begins_in{};  ///< the job is under way when the cuts begin
    bool damaged{false};                      ///< and its backup has lost a bit then
    bool wrong{false};                        ///< the package decodes to another image than it says
    /// Key rotations that go before the package: two, or a third one to a device that took two before.
    unsigned rotations{0};
    bool part_sent{false};           ///< the transfer was interrupted before
    bool cuts_transfer_only{false};  ///< and what goes before it
    bool first{false};               ///< the base image comes onto a blank device
    bool recovers{false};  ///< the new image runs confirmed and has lost a bit: the old one is put back
    BackupAhead backup_ahead{BackupAhead::never};
};

/// All of them, in the order they are run.
[[nodiscard]] std::span<const ScenarioKind> scenario_kinds();

}  // namespace mcuota::board
