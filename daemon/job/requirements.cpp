// Checks requirements between the devices of one gateway.
#include "daemon/job/requirements.hpp"

#include "mcu_flasher/package/package.hpp"

namespace mcuota::job {

std::optional<Error> unmet_requirement(const Manifest& manifest, std::span<const Fellow> fellows) {
    for (std::size_t i = 0; i < manifest.requires_count; ++i) {
        const std::string name(manifest.required[i].name.view());
        const std::string version(manifest.required[i].version.view());
        const std::string wish = "version " + std::string(manifest.version.view()) + " requires " + name +
                                 " to run " + version + " or newer, confirmed";
        bool known = false;
        for (const Fellow& fellow : fellows) {
            if (fellow.name != name && fellow.hardware != name) continue;
            known = true;
            const std::string& runs = fellow.confirmed_version;
            if (!runs.empty() && package::compare_versions(runs, version) >= 0) continue;
            return Error{ErrorCode::requirement_unmet,
                         wish + "; " + fellow.name + (runs.empty() ? " has not said so" : " runs " + runs),
                         "update " + fellow.name + " first; this job goes on by itself then"};
        }
        if (!known)
            return Error{ErrorCode::not_found, wish + "; this gateway has no such device",
                         "add the device to mcuota.toml, or use a package without this requirement"};
    }
    return std::nullopt;
}

}  // namespace mcuota::job
