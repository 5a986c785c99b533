// The loader's main loop: look, decide, perform, until an application can be started or the link server must
// run.
#include "mcu_loader/core/device/loader_flow.hpp"

namespace mcuota::device {
namespace {

/// More rounds than any road through the phases needs; a second bound behind the counted attempts.
constexpr unsigned kRoundsMax = 64;

bool needs_backup(const BootInputs& inputs) noexcept {
    const bool trial_over =
        inputs.phase == Phase::trial &&
        (inputs.running != RunningImage::valid || inputs.trial_boots_used >= inputs.trial_boots_allowed);
    return trial_over || (inputs.phase == Phase::idle && inputs.running == RunningImage::damaged);
}

}  // namespace

LoaderFlow::LoaderFlow(const LoaderParts& parts) noexcept
    : parts_{parts},
      journal_{parts.storage},
      staging_{parts.storage, parts.board},
      keys_{parts.storage, parts.board, parts.keys},
      installer_{parts, journal_, staging_, keys_} {}

Status LoaderFlow::look(BootInputs& out) noexcept {
    const State& state = journal_.state();
    out.phase = state.phase;
    out.stay_asked = stay_asked_;
    out.watchdog_reset = reset_cause_.watchdog();
    out.power_loss = reset_cause_.power_loss() && !attempted_;
    out.trial_boots_used = state.trial_boots_used;
    out.trial_boots_allowed = parts_.product.trial_boots_allowed;
    out.attempts_used = state.attempts_used;
    out.attempts_max = parts_.product.install_attempts_max;
    out.cause = state.cause;
    running_ = RunningImage::none;
    if (state.phase == Phase::idle || state.phase == Phase::trial) {
        if (const Status status = installer_.examine_running(running_); status != Status::ok) {
            return status;
        }
    }
    out.running = running_;
    return needs_backup(out) ? installer_.examine_backup(out.backup_held) : Status::ok;
}

/// Journals a start of work before the work, so that work which takes the loader down with it is bounded,
/// too. Starts after a power loss are not counted: power may go as often as it likes.
Status LoaderFlow::count_attempt() noexcept {
    const bool excused = reset_cause_.power_loss() && !attempted_;
    attempted_ = true;
    if (excused) {
        return Status::ok;
    }
    State next = journal_.state();
    ++next.attempts_used;  // below attempts_max: decide_boot() saw to that
    return journal_.append(next);
}

Status LoaderFlow::halt(Status reason) noexcept {
    State next = journal_.state();
    if (next.phase == Phase::trial) {
        next.failed_sha256 = next.image_sha256;
        next.target_slot = next.running_slot;
    }
    next.phase = Phase::halted;
    next.cause = reason;
    next.running_slot = Slot::none;
    next.running_confirmed = false;
    next.attempts_used = 0;
    if (next.outcome == Status::in_progress) {
        next.outcome = reason;
    }
    return journal_.append(next);
}

/// An installation ends without its image: the old application runs on, is put back, or there is none to put
/// back.
Status LoaderFlow::end_install(Status reason) noexcept {
    State next = journal_.state();
    next.attempts_used = 0;
    if (next.phase == Phase::applying) {
        if (next.backup_slot == Slot::none) {
            return halt(reason);
        }
        next.phase = Phase::restoring;
        next.cause = reason;
        next.target_slot = next.backup_slot;
        return journal_.append(next);
    }
    next.outcome = reason;
    if (next.running_slot != Slot::none || next.target_slot == Slot::none) {
        next.phase = Phase::idle;
        next.cause = reason;
    } else {
        // It was asked for while nothing could run: back to where that stood, with its own cause.
        next.phase = next.target_slot == next.backup_slot ? Phase::restoring : Phase::halted;
    }
    return journal_.append(next);
}

Status LoaderFlow::attempt_install() noexcept {
    if (const Status status = count_attempt(); status != Status::ok) {
        return status;
    }
    if (!staging_mounted_) {
        staging_.mount();
        staging_mounted_ = true;
    }
    const Status status = installer_.install();
    if (status == Status::ok) {
        return Status::ok;
    }
    State next = journal_.state();
    const bool applying = next.phase == Phase::applying;
    // Attempts are journalled: where the journal has failed, the room it has left is for the end.
    const bool memory_failed = is_storage_error(status) && status != Status::journal_failed;
    const bool again =
        (applying || memory_failed) && next.attempts_used < parts_.product.install_attempts_max;
    if (!again) {
        return end_install(status);
    }
    if (!applying || next.cause == status) {
        return Status::ok;
    }
    next.cause = status;
    return journal_.append(next);
}

Status LoaderFlow::end_rollback(Status reason) noexcept {
    State next = journal_.state();
    next.phase = next.running_confirmed ? Phase::idle : Phase::trial;
    next.outcome = reason;
    next.cause = reason;
    next.attempts_used = 0;
    return journal_.append(next);
}

Status LoaderFlow::attempt_restore(Status cause) noexcept {
    if (const Status status = count_attempt(); status != Status::ok) {
        return status;
    }
    const Status status = installer_.restore(cause);
    State next = journal_.state();
    const bool memory_failed = is_storage_error(status);
    const bool no_room = status == Status::journal_failed && next.phase == Phase::rollback_requested;
    if (status == Status::ok ||
        (memory_failed && !no_room && next.attempts_used < parts_.product.install_attempts_max)) {
        return Status::ok;
    }
    switch (next.phase) {
        case Phase::rollback_requested:
            return end_rollback(status);
        case Phase::trial:
            return halt(cause);
        case Phase::restoring:
            break;
        default:
            return Status::ok;  // idle: the damaged application stays damaged, the decision serves
    }
    if (!memory_failed) {
        return halt(status);
    }
    // The attempts are spent. Each power-on grants one more, but the gateway need not wait for that, and what
    // it is told now stays true: the job has failed, for this reason.
    next.cause = status;
    if (next.outcome == Status::in_progress) {
        next.outcome = status;
    }
    return next == journal_.state() ? Status::ok : journal_.append(next);
}

Status LoaderFlow::count_trial_boot() noexcept {
    State next = journal_.state();
    ++next.trial_boots_used;
    return journal_.append(next);
}

LoaderEnd LoaderFlow::run() noexcept {
    reset_cause_ = parts_.board.reset_cause();
    journal_.set_reset_cause(reset_cause_.flags);
    stay_asked_ = parts_.board.take_stay_request();
    const auto end_serving = [&](Status reason) {
        if (!staging_mounted_) {
            staging_.mount();
            staging_mounted_ = true;
        }
        return serve(reason);
    };
    Status mounted = journal_.mount();
    if (mounted == Status::ok) {
        mounted = journal_.settle();
    }
    if (mounted == Status::ok) {
        mounted = keys_.mount(journal_.state());
    }
    if (mounted != Status::ok) {
        return end_serving(mounted);
    }
    keys_.settle();
    bool listened = stay_asked_;
    for (unsigned round = 0; round < kRoundsMax; ++round) {
        BootInputs inputs;
        if (const Status status = look(inputs); status != Status::ok) {
            return end_serving(status);
        }
        const BootDecision decision = decide_boot(inputs);
        const bool boots = decision.action == BootAction::boot || decision.action == BootAction::boot_trial;
        if (boots && !listened) {
            listened = true;
            stay_asked_ = parts_.hooks.stay_asked();
            if (stay_asked_) {
                continue;
            }
        }
        Status status = Status::ok;
        switch (decision.action) {
            case BootAction::boot:
                return {LoaderEnd::Kind::boot, Status::ok, running_};
            case BootAction::boot_trial:
                status = count_trial_boot();
                if (status == Status::ok) {
                    return {LoaderEnd::Kind::boot, Status::ok, running_};
                }
                break;
            case BootAction::install:
                status = attempt_install();
                break;
            case BootAction::restore:
                status = attempt_restore(decision.reason);
                break;
            case BootAction::give_up:
                status = inputs.phase == Phase::rollback_requested ? end_rollback(decision.reason)
                                                                   : end_install(decision.reason);
                break;
            case BootAction::halt:
                status = halt(decision.reason);
                break;
            case BootAction::serve:
                return end_serving(decision.reason);
        }
        if (status != Status::ok) {
            return end_serving(status);
        }
    }
    return end_serving(Status::install_attempts_spent);
}

}  // namespace mcuota::device
