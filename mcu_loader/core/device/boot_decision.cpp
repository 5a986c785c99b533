// The boot decision table.
#include "mcu_loader/core/device/boot_decision.hpp"

namespace mcuota::device {
namespace {

BootDecision failed_trial(const BootInputs& inputs, Status reason, bool may_try) noexcept {
    return {inputs.backup_held && may_try ? BootAction::restore : BootAction::halt, reason};
}

BootDecision decide_trial(const BootInputs& inputs, bool may_try) noexcept {
    switch (inputs.running) {
        case RunningImage::none:
        case RunningImage::damaged:
            return failed_trial(inputs, Status::application_damaged, may_try);
        case RunningImage::vectors_invalid:
            return failed_trial(inputs, Status::vectors_invalid, may_try);
        case RunningImage::valid:
            break;
    }
    if (inputs.trial_boots_used >= inputs.trial_boots_allowed) {
        return failed_trial(
            inputs, inputs.watchdog_reset ? Status::trial_watchdog : Status::trial_not_confirmed, may_try);
    }
    return inputs.stay_asked ? BootDecision{BootAction::serve, Status::held_in_loader}
                             : BootDecision{BootAction::boot_trial, Status::ok};
}

BootDecision decide_idle(const BootInputs& inputs, bool may_try) noexcept {
    switch (inputs.running) {
        case RunningImage::none:
            return {BootAction::serve, Status::no_application};
        case RunningImage::vectors_invalid:
            return {BootAction::serve, Status::vectors_invalid};
        case RunningImage::damaged:
            return {inputs.backup_held && may_try ? BootAction::restore : BootAction::serve,
                    Status::application_damaged};
        case RunningImage::valid:
            break;
    }
    return inputs.stay_asked ? BootDecision{BootAction::serve, Status::held_in_loader}
                             : BootDecision{BootAction::boot, Status::ok};
}

}  // namespace

BootDecision decide_boot(const BootInputs& inputs) noexcept {
    // A start caused by a power loss is the supply's fault, not the work's: it always gets its try.
    const bool may_try = inputs.attempts_used < inputs.attempts_max || inputs.power_loss;
    switch (inputs.phase) {
        case Phase::idle:
            return decide_idle(inputs, may_try);
        case Phase::trial:
            return decide_trial(inputs, may_try);
        case Phase::install_requested:
        case Phase::backing_up:
        case Phase::applying:
            if (may_try) {
                return {BootAction::install, Status::ok};
            }
            return {BootAction::give_up, inputs.phase == Phase::applying && inputs.cause != Status::ok
                                             ? inputs.cause
                                             : Status::install_attempts_spent};
        case Phase::rollback_requested:
            return may_try ? BootDecision{BootAction::restore, Status::rolled_back}
                           : BootDecision{BootAction::give_up, Status::install_attempts_spent};
        case Phase::restoring:
            return {may_try ? BootAction::restore : BootAction::serve, inputs.cause};
        case Phase::halted:
            break;
    }
    return {BootAction::serve, inputs.cause};
}

bool vectors_usable(std::uint32_t stack_pointer, std::uint32_t entry, std::uint32_t load_address,
                    std::uint32_t image_bytes, std::uint32_t ram_begin, std::uint32_t ram_end) noexcept {
    const bool stack_ok = stack_pointer > ram_begin && stack_pointer <= ram_end && stack_pointer % 4 == 0;
    const std::uint32_t entry_offset = entry - load_address;
    return stack_ok && entry % 2 == 1 && entry >= load_address && entry_offset < image_bytes;
}

}  // namespace mcuota::device
