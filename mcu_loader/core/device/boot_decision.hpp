#pragma once
// What a start of the loader leads to: a pure function of the journal and of what was found in flash
// (mcu_loader/SPEC.md §6 prints the same table). It touches nothing: loader_flow.cpp performs the answer.

#include <cstdint>

#include "mcu_loader/core/device/journal.hpp"

namespace mcuota::device {

/// What the running region was found to hold.
enum class RunningImage : std::uint8_t {
    none,             ///< the journal names no image
    damaged,          ///< its manifest or its bytes are not authentic
    vectors_invalid,  ///< authentic, but its start vectors point outside its memory
    valid,
};

struct BootInputs {
    Phase phase{Phase::idle};
    RunningImage running{RunningImage::none};  ///< looked at in idle and trial only
    bool backup_held{false};                   ///< a backup image the security counter allows
    bool stay_asked{false};
    bool watchdog_reset{false};
    bool power_loss{false};
    std::uint8_t trial_boots_used{0};
    std::uint8_t trial_boots_allowed{3};
    std::uint8_t attempts_used{0};
    std::uint8_t attempts_max{3};
    Status cause{Status::ok};  ///< journalled cause of restoring or halted
};

enum class BootAction : std::uint8_t {
    boot,        ///< jump to the confirmed application
    boot_trial,  ///< journal one more trial boot, then jump
    install,     ///< perform one attempt of the installation
    restore,     ///< put the backup back; `reason` is the cause
    give_up,     ///< attempts are spent: end the work with `reason`
    halt,        ///< no backup to put back: journal halted with `reason`, then serve
    serve,       ///< run the link server; `reason` says why
};

struct BootDecision {
    BootAction action{BootAction::serve};
    Status reason{Status::ok};
    [[nodiscard]] bool operator==(const BootDecision&) const noexcept = default;
};

[[nodiscard]] BootDecision decide_boot(const BootInputs& inputs) noexcept;

/// Whether `image`'s first two words can start a program: stack pointer in RAM and 4-byte aligned, entry
/// point odd and inside the image.
[[nodiscard]] bool vectors_usable(std::uint32_t stack_pointer, std::uint32_t entry,
                                  std::uint32_t load_address, std::uint32_t image_bytes,
                                  std::uint32_t ram_begin, std::uint32_t ram_end) noexcept;

}  // namespace mcuota::device
