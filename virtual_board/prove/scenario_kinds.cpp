// SPDX-License-Identifier: GPL-2.0-or-later
// The table of kinds of jobs.

#include "virtual_board/prove/scenario_kinds.hpp"

#include <array>

namespace mcuota::board {
namespace {

constexpr std::optional<std::size_t> kNone;

constexpr std::array<ScenarioKind, 18> kScenarios{{
    {.name = "install"},
    {.name = "revert",
     .fresh = AppBehaviour::never_confirms,
     .outcome = kTrialNotConfirmed,
     .image = kOld,
     .outcome_after_cuts = kTrialWatchdog},
    {.name = "hang",
     .fresh = AppBehaviour::hangs,
     .outcome = kTrialWatchdog,
     .image = kOld,
     .outcome_after_cuts = kTrialNotConfirmed},
    {.name = "rollback", .rollback = true, .outcome = kRolledBack, .image = kOld},
    {.name = "journal", .roll_over = true},
    {.name = "confirm", .loaders_own = true, .begins_in = JournalPhase::trial},
    {.name = "staging", .loaders_own = true, .part_sent = true, .cuts_transfer_only = true},
    {.name = "wrong-image", .outcome = kImageHashMismatch, .image = kOld, .loaders_own = true, .wrong = true},
    {.name = "revert-damaged",
     .fresh = AppBehaviour::never_confirms,
     .outcome = kTrialNotConfirmed,
     .image = kNone,
     .outcome_after_cuts = kTrialWatchdog,
     .loaders_own = true,
     .begins_in = JournalPhase::trial,
     .damaged = true},
    {.name = "rollback-damaged",
     .rollback = true,
     .outcome = kBackupDamaged,
     .loaders_own = true,
     .begins_in = JournalPhase::rollback_requested,
     .damaged = true},
    {.name = "rotation", .loaders_own = true, .rotations = 2},
    {.name = "rotation-again", .loaders_own = true, .rotations = 3},
    {.name = "first", .image = kOld, .loaders_own = true, .first = true},
    {.name = "recovery", .image = kOld, .loaders_own = true, .recovers = true},
    {.name = "ahead", .loaders_own = true, .backup_ahead = BackupAhead::whole},
    {.name = "ahead-begun",
     .loaders_own = true,
     .cuts_transfer_only = true,
     .backup_ahead = BackupAhead::until_cut},
    {.name = "ahead-revert",
     .fresh = AppBehaviour::never_confirms,
     .outcome = kTrialNotConfirmed,
     .image = kOld,
     .outcome_after_cuts = kTrialWatchdog,
     .loaders_own = true,
     .backup_ahead = BackupAhead::whole},
    {.name = "ahead-rollback",
     .rollback = true,
     .outcome = kRolledBack,
     .image = kOld,
     .loaders_own = true,
     .backup_ahead = BackupAhead::whole},
}};

}  // namespace

std::span<const ScenarioKind> scenario_kinds() {
    return kScenarios;
}

}  // namespace mcuota::board
