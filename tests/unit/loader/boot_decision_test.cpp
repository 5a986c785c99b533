// The boot decision as a table: what each start of the loader leads to.
#include <catch2/catch.hpp>

#include "mcu_loader/core/device/boot_decision.hpp"

using namespace mcuota;
using namespace mcuota::device;

namespace {

struct Row {
    const char* name;
    BootInputs inputs;
    BootDecision expected;
};

BootInputs in(Phase phase, RunningImage running = RunningImage::none) {
    BootInputs inputs;
    inputs.phase = phase;
    inputs.running = running;
    return inputs;
}

template <class Change>
BootInputs with(BootInputs inputs, Change change) {
    change(inputs);
    return inputs;
}

const auto backup = [](BootInputs& i) { i.backup_held = true; };
const auto spent = [](BootInputs& i) { i.attempts_used = 3; };
const auto spent_with_backup = [](BootInputs& i) { i.attempts_used = 3, i.backup_held = true; };
const auto spent_power = [](BootInputs& i) {
    i.attempts_used = 3, i.backup_held = true, i.power_loss = true;
};
const auto stay = [](BootInputs& i) { i.stay_asked = true; };
const auto boots_spent = [](BootInputs& i) { i.trial_boots_used = 3, i.backup_held = true; };
const auto boots_spent_dog = [](BootInputs& i) {
    i.trial_boots_used = 3, i.backup_held = true, i.watchdog_reset = true;
};
const auto boots_spent_alone = [](BootInputs& i) { i.trial_boots_used = 3; };
const auto caused = [](BootInputs& i) { i.cause = Status::flash_erase_failed; };
const auto caused_spent = [](BootInputs& i) { i.cause = Status::flash_erase_failed, i.attempts_used = 3; };

using I = RunningImage;
using A = BootAction;
using S = Status;

const Row kRows[] = {
    {"blank chip", in(Phase::idle), {A::serve, S::no_application}},
    {"confirmed application", in(Phase::idle, I::valid), {A::boot, S::ok}},
    {"asked to stay", with(in(Phase::idle, I::valid), stay), {A::serve, S::held_in_loader}},
    {"damaged, backup", with(in(Phase::idle, I::damaged), backup), {A::restore, S::application_damaged}},
    {"damaged, no backup", in(Phase::idle, I::damaged), {A::serve, S::application_damaged}},
    {"damaged, restore failed too often",
     with(in(Phase::idle, I::damaged), spent_with_backup),
     {A::serve, S::application_damaged}},
    {"damaged, too often, power came back",
     with(in(Phase::idle, I::damaged), spent_power),
     {A::restore, S::application_damaged}},
    {"confirmed but no vectors", in(Phase::idle, I::vectors_invalid), {A::serve, S::vectors_invalid}},

    {"install asked", in(Phase::install_requested), {A::install, S::ok}},
    {"install asked, stay, too", with(in(Phase::install_requested), stay), {A::install, S::ok}},
    {"install tried too often",
     with(in(Phase::install_requested), spent),
     {A::give_up, S::install_attempts_spent}},
    {"install, too often, power came back",
     with(in(Phase::install_requested), spent_power),
     {A::install, S::ok}},
    {"backing up", in(Phase::backing_up), {A::install, S::ok}},
    {"backing up too often", with(in(Phase::backing_up), spent), {A::give_up, S::install_attempts_spent}},
    {"applying", in(Phase::applying), {A::install, S::ok}},
    {"applying failed too often",
     with(in(Phase::applying), caused_spent),
     {A::give_up, S::flash_erase_failed}},
    {"applying died too often", with(in(Phase::applying), spent), {A::give_up, S::install_attempts_spent}},

    {"first trial boot", with(in(Phase::trial, I::valid), backup), {A::boot_trial, S::ok}},
    {"trial, asked to stay", with(in(Phase::trial, I::valid), stay), {A::serve, S::held_in_loader}},
    {"trial boots spent",
     with(in(Phase::trial, I::valid), boots_spent),
     {A::restore, S::trial_not_confirmed}},
    {"trial boots spent by the watchdog",
     with(in(Phase::trial, I::valid), boots_spent_dog),
     {A::restore, S::trial_watchdog}},
    {"trial boots spent, no backup",
     with(in(Phase::trial, I::valid), boots_spent_alone),
     {A::halt, S::trial_not_confirmed}},
    {"trial image cannot start",
     with(in(Phase::trial, I::vectors_invalid), backup),
     {A::restore, S::vectors_invalid}},
    {"trial image cannot start, no backup",
     in(Phase::trial, I::vectors_invalid),
     {A::halt, S::vectors_invalid}},
    {"trial image damaged", with(in(Phase::trial, I::damaged), backup), {A::restore, S::application_damaged}},
    {"trial over, restore failed too often",
     with(in(Phase::trial, I::damaged), spent_with_backup),
     {A::halt, S::application_damaged}},

    {"rollback asked", in(Phase::rollback_requested), {A::restore, S::rolled_back}},
    {"rollback died too often",
     with(in(Phase::rollback_requested), spent),
     {A::give_up, S::install_attempts_spent}},
    {"restoring", with(in(Phase::restoring), caused), {A::restore, S::flash_erase_failed}},
    {"restoring failed too often",
     with(in(Phase::restoring), caused_spent),
     {A::serve, S::flash_erase_failed}},
    {"halted", with(in(Phase::halted), caused), {A::serve, S::flash_erase_failed}},
};

}  // namespace

TEST_CASE("every start of the loader has one answer", "[loader][boot]") {
    for (const Row& row : kRows) {
        DYNAMIC_SECTION(row.name) {
            const BootDecision decision = decide_boot(row.inputs);
            CHECK(static_cast<int>(decision.action) == static_cast<int>(row.expected.action));
            CHECK(static_cast<unsigned>(decision.reason) == static_cast<unsigned>(row.expected.reason));
        }
    }
}

TEST_CASE("no input starts anything but a valid image", "[loader][boot]") {
    constexpr Phase kPhases[] = {Phase::idle,  Phase::install_requested,  Phase::backing_up, Phase::applying,
                                 Phase::trial, Phase::rollback_requested, Phase::restoring,  Phase::halted};
    for (const Phase phase : kPhases) {
        for (unsigned bits = 0; bits < 1024; ++bits) {
            BootInputs inputs = in(phase, static_cast<RunningImage>(bits & 3U));
            inputs.backup_held = (bits & 4U) != 0;
            inputs.stay_asked = (bits & 8U) != 0;
            inputs.watchdog_reset = (bits & 16U) != 0;
            inputs.power_loss = (bits & 32U) != 0;
            inputs.trial_boots_used = static_cast<std::uint8_t>(bits >> 6U & 3U);
            inputs.attempts_used = static_cast<std::uint8_t>(bits >> 8U & 3U);
            const BootDecision decision = decide_boot(inputs);
            if (decision.action == BootAction::boot || decision.action == BootAction::boot_trial) {
                REQUIRE(inputs.running == RunningImage::valid);
                REQUIRE((phase == Phase::idle || phase == Phase::trial));
                REQUIRE_FALSE(inputs.stay_asked);
                REQUIRE((phase != Phase::trial || inputs.trial_boots_used < inputs.trial_boots_allowed));
            }
        }
    }
}

TEST_CASE("start vectors must point into RAM and into the image", "[loader][boot]") {
    const auto usable = [](std::uint32_t stack, std::uint32_t entry) {
        return vectors_usable(stack, entry, 0x08020000, 1000, 0x20000000, 0x20030000);
    };
    CHECK(usable(0x20030000, 0x08020101));
    CHECK(usable(0x20000004, 0x08020001));
    CHECK_FALSE(usable(0x20000000, 0x08020101));  // no room below
    CHECK_FALSE(usable(0x20030004, 0x08020101));
    CHECK_FALSE(usable(0x20000102, 0x08020101));
    CHECK_FALSE(usable(0x20030000, 0x08020100));  // even: not Thumb
    CHECK_FALSE(usable(0x20030000, 0x0801FFFF));
    CHECK_FALSE(usable(0x20030000, 0x080203E9));  // behind the image
    CHECK_FALSE(usable(0xFFFFFFFF, 0xFFFFFFFF));
}
