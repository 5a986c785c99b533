#pragma once
// What a package requires of the other devices of its gateway (docs/package-format.md §3, tag 0x0A). Pure.

#include <optional>
#include <span>
#include <string>

#include "mcu_flasher/base/error.hpp"
#include "mcu_loader/core/manifest.hpp"

namespace mcuota::job {

/// A device of this gateway, as it was last heard.
struct Fellow {
    std::string name;
    std::string hardware;
    std::string confirmed_version;  ///< of the running image; empty: not confirmed, or never heard
};

/// The first requirement of `manifest` that is not met: each names a device or a hardware id, and every such
/// device must run that version or a newer one, confirmed. requirement_unmet, which may pass when the other
/// device is updated; not_found when this gateway has no such device.
[[nodiscard]] std::optional<Error> unmet_requirement(const Manifest& manifest,
                                                     std::span<const Fellow> fellows);

}  // namespace mcuota::job
