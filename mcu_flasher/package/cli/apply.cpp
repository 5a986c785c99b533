// mcuota-pack apply: the image of a package, decoded by the loader's own code.

#include <iostream>
#include <optional>

#include "mcu_flasher/base/file.hpp"
#include "mcu_flasher/base/hex.hpp"
#include "mcu_flasher/package/builder.hpp"
#include "mcu_flasher/package/cli/commands.hpp"
#include "mcu_flasher/package/cli/output.hpp"

namespace mcuota::pack {
namespace {

Result<const package::Entry*> choose(const package::Package& package, const std::string& hardware) {
    std::string names;
    for (const package::Entry& entry : package.entries)
        names += (names.empty() ? "" : ", ") + std::string(entry.manifest.hardware.view());
    if (hardware.empty()) {
        if (package.entries.size() == 1) return &package.entries[0];
        return Error{ErrorCode::usage, "the package is for several hardware types: " + names,
                     "choose one: --hardware ID", 0};
    }
    if (const package::Entry* const entry = package.find(hardware)) return entry;
    return Error{ErrorCode::not_found, "the package has nothing for " + hardware + ", only for " + names,
                 "check --hardware", 0};
}

/// The smallest payload that needs no base.
std::optional<std::size_t> smallest_full(const Manifest& manifest) {
    std::optional<std::size_t> best;
    for (std::size_t i = 0; i < manifest.payload_count; ++i) {
        const PayloadEntry& payload = manifest.payloads[i];
        if (payload.base_size_bytes == 0 &&
            (!best || payload.size_bytes < manifest.payloads[*best].size_bytes))
            best = i;
    }
    return best;
}

}  // namespace

Result<void> apply(const ApplyOptions& options) {
    const auto package = package::read(options.file);
    if (!package) return package.error();
    const auto entry = choose(*package, options.hardware);
    if (!entry) return entry.error();
    const auto index = smallest_full((*entry)->manifest);
    if (!index)
        return Error{ErrorCode::no_fitting_payload, "the package holds no full image",
                     "use a package with one", 0};
    const auto image = package::decode_image(**entry, *index);
    if (!image) return image.error();
    if (auto written = write_file(options.out, *image); !written) return written;

    const Manifest& manifest = (*entry)->manifest;
    const std::string_view kind = package::to_string(manifest.payloads[*index].kind);
    if (options.json) {
        print_json({{"file", options.out},
                    {"bytes", image->size()},
                    {"sha256", to_hex(manifest.image_sha256)},
                    {"hardware", manifest.hardware.view()},
                    {"version", manifest.version.view()},
                    {"payload", kind}});
        return {};
    }
    std::cout << options.out << ": " << manifest.hardware.view() << ' ' << manifest.version.view() << ", "
              << image->size() << " bytes from the " << kind << " payload, SHA-256 "
              << to_hex(manifest.image_sha256) << '\n';
    return {};
}

}  // namespace mcuota::pack
