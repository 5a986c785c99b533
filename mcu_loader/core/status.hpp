#pragma once
// The device's answer codes: one list (status.def) shared by loader, agent, link protocol and gateway.

#include <cstdint>

namespace mcuota {

/// Answer of a device or of code shared with one. Travels on the link and stands in journals: append only.
enum class [[nodiscard]] Status : std::uint16_t{
#define MCUOTA_STATUS(name, number, cls, text) name = (number),
#include "mcu_loader/core/status.def"
#undef MCUOTA_STATUS
};

}  // namespace mcuota
