#pragma once
// Turns what a device answered, or did not answer, into errors for people: code, what happened, what helps.

#include <string>
#include <string_view>

#include "mcu_flasher/base/error.hpp"
#include "mcu_flasher/link/machine.hpp"
#include "mcu_loader/core/status.hpp"

namespace mcuota::flasher {

/// summary() of a status, and of an unknown one its number.
[[nodiscard]] std::string status_text(Status status);

/// The error a device's status means. `context` says what was asked, for example "installing the staged
/// package on uart:/dev/ttyUSB0". Every status has a code and a next step; device_status is always set.
[[nodiscard]] Error error_from_status(Status status, std::string_view context);

/// The error a failed conversation means. `where` names the link.
[[nodiscard]] Error error_from_failure(const Failure& failure, std::string_view context,
                                       std::string_view where);

}  // namespace mcuota::flasher
