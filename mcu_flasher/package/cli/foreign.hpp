#pragma once
// Files that are no package of ours but that people hold in their hands: bare deltas, packages of the
// original scheme, AliOS Things files.

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "mcu_flasher/base/result.hpp"
#include "mcu_flasher/package/cli/commands.hpp"

namespace mcuota::pack {

/// Explains a foreign file; nothing when it is none that is known. payload_mismatch, after it was explained,
/// when its sums do not fit.
[[nodiscard]] std::optional<Result<void>> inspect_foreign(const InspectOptions& options,
                                                          std::span<const std::uint8_t> file);

/// Verifies the signature of a package of the original scheme; nothing when `file` is none.
[[nodiscard]] std::optional<Result<void>> verify_liteos(const VerifyOptions& options,
                                                        std::span<const std::uint8_t> file);

}  // namespace mcuota::pack
