#pragma once
// The device's status numbers (mcu_loader/core/status.def) in words and in the gateway's retry classes. Not
// for the MCU: the texts stay on the host.

#include <cstdint>
#include <string_view>

#include "mcu_flasher/base/error.hpp"
#include "mcu_loader/core/status.hpp"

namespace mcuota {

/// The name in status.def, for example "signature_invalid"; "unknown_status" for numbers this version does
/// not know.
[[nodiscard]] std::string_view to_string(Status status) noexcept;
/// One line that explains the status.
[[nodiscard]] std::string_view summary(Status status) noexcept;
/// What kind of answer the status asks for. Unknown numbers ask for an operator.
[[nodiscard]] ErrorClass error_class(Status status) noexcept;

}  // namespace mcuota
