#pragma once
// Zips one package for clouds that take nothing but (signed) zips.

#include <cstdint>
#include <span>
#include <string>

#include "mcu_flasher/base/result.hpp"
#include "mcu_flasher/package/package.hpp"

namespace mcuota::package {

/// A zip with the one file `name`, stored as it is (packages do not compress). Deterministic: no times, no
/// owner.
[[nodiscard]] Result<Bytes> zip_of(const std::string& name, std::span<const std::uint8_t> content);

}  // namespace mcuota::package
