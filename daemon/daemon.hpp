#pragma once
// The wiring of mcuotad: configuration → store → engine, clouds, socket → one loop, until a signal ends it.

#include "daemon/config/config.hpp"
#include "daemon/log.hpp"
#include "mcu_flasher/base/result.hpp"

namespace mcuota {

/// Runs until SIGTERM or SIGINT; everything under way stops so that the next start resumes it. An error means
/// that it could not start.
[[nodiscard]] Result<void> run_daemon(const config::Config& config, Log& log);

}  // namespace mcuota
