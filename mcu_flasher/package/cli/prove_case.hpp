#pragma once
// The files `mcuota-board prove` works on: a loader that trusts a key made for this proof, and three packages
// signed with it. Why a key of its own: docs/prove.md, "What is changed for the proof".

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mcu_flasher/package/package.hpp"

namespace mcuota::pack {

/// What shall be proven.
struct ProveCase {
    const package::Entry* entry;  ///< of the user's package
    std::size_t payload_index;    ///< the payload that is sent
    package::Bytes base, image;   ///< what runs before and after
    package::Bytes loader;        ///< file of the loader, ELF or binary
};

/// What making it says.
struct ProveFiles {
    std::filesystem::path loader;
    std::string hardware;   ///< in the re-signed manifests
    bool hardware_changed;  ///< the loader is built for other hardware than the package names
};

/// Hardware the loader that comes with this program is built for.
constexpr std::string_view kShippedHardware = "stm32f429-demo";

/// Writes loader, images and envelopes into `folder`. usage when the loader has no key table.
[[nodiscard]] Result<ProveFiles> write_case(const ProveCase& what, const std::filesystem::path& folder);

}  // namespace mcuota::pack
