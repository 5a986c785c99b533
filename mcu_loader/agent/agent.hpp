#pragma once
// The agent: what an application links to be updatable while it runs. It answers the gateway on USART1,
// stages packages in the SPI NOR, asks the loader to install them, and keeps the promise that a new image
// confirms itself in time. README.md beside this file is for integrators. It touches USART1, SPI5, DMA2
// streams 2, 3, 4 and 7, PA9, PA10, PF6 – PF9, and nothing else. Not for interrupts or several threads: one
// context calls all of it.

#include <cstdint>

#include "mcu_loader/core/status.hpp"

namespace mcuota::agent {

/// What the agent needs of the application.
struct Config {
    /// Milliseconds, growing, wrapping. Must advance while agent functions run (an interrupt counts it).
    std::uint32_t (*now_ms)() noexcept;
    /// Feeds the watchdog the loader has started; called between the bounded steps of long NOR operations.
    void (*feed_watchdog)() noexcept;
    /// Clock of APB2: feeds USART1 and SPI5.
    std::uint32_t pclk2_hz;
    /// An image on trial that has not confirmed itself this long after init() is reset, which uses up one
    /// trial boot.
    std::uint32_t trial_ms{10'000};
    /// Copy this image into the spare half of the backup area while the gateway is quiet, so that an update
    /// need not: the application then stands still for seconds less. Each poll() programs a page (1 ms) or
    /// erases 4 KiB (45 ms typically, 400 ms with a worn part) until it is done, once after each update.
    bool back_up_ahead{true};
    /// The image held as backup is hashed after each start, and again each time this has passed, while the
    /// gateway is quiet: damage is told to the gateway before the backup is needed. Each poll() then reads a
    /// kibibyte (1 ms). 0: only after each start.
    std::uint32_t prove_backup_every_ms{86'400'000};
    /// Called before the agent resets the chip, to bring outputs into a safe state; may be null.
    void (*before_reset)() noexcept {nullptr};
};

/// Starts line and storage. Anything but ok says the SPI NOR does not work: the agent then still answers the
/// gateway, but refuses packages, installations and rollbacks with this reason.
[[nodiscard]] Status init(const Config& config) noexcept;

/// Serves the gateway. Call it often: at least every 10 ms on average. It returns at once when nothing is to
/// do; while a package arrives it programs the NOR and may take 150 ms (2 s with a worn part) for a block
/// erase.
void poll() noexcept;

/// Sleeps until the next interrupt unless bytes of the gateway wait: for main loops with nothing else to do.
void wait() noexcept;

/// Whether this image runs on trial: it has to confirm() or the loader puts the old one back.
[[nodiscard]] bool on_trial() noexcept;

/// Says that this image works. Call it when the application has proven to itself that it does its job, not
/// before. ok also when nothing is on trial. Later than Config::trial_ms it resets the chip instead, as
/// poll() would have. Errors: the journal's; the image then stays on trial.
[[nodiscard]] Status confirm() noexcept;

}  // namespace mcuota::agent
