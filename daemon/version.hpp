#pragma once
// The version of the programs, from the build.

#include <string_view>

namespace mcuota {

#ifndef MCUOTA_VERSION
#define MCUOTA_VERSION "0.0.0"
#endif
inline constexpr std::string_view kVersion = MCUOTA_VERSION;

}  // namespace mcuota
