// mcuota-pack apply: the image of a package, decoded by the loader's own code.

#include <iostream>
#include <optional>

#include "mcu_flasher/base/file.hpp"
#include "mcu_flasher/base/hex.hpp"
#include "mcu_flasher/package/artifact.hpp"
#include "mcu_flasher/package/builder.hpp"
#include "mcu_flasher/package/cli/commands.hpp"
#include "mcu_flasher/package/cli/files.hpp"
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

/// The smallest payload from this base; of all full ones when there is none.
std::optional<std::size_t> smallest(const Manifest& manifest, const std::optional<package::Bytes>& base) {
    const Sha256Digest base_sha256 = base ? sha256(*base) : Sha256Digest{};
    std::optional<std::size_t> best;
    for (std::size_t i = 0; i < manifest.payload_count; ++i) {
        const PayloadEntry& payload = manifest.payloads[i];
        const bool fits = base ? payload.base_size_bytes == base->size() && payload.base_sha256 == base_sha256
                               : payload.base_size_bytes == 0;
        if (fits && (!best || payload.size_bytes < manifest.payloads[*best].size_bytes)) best = i;
    }
    return best;
}

Result<std::size_t> payload_of(const Manifest& manifest, const ApplyOptions& options,
                               const std::optional<package::Bytes>& base) {
    if (const auto index = smallest(manifest, base)) return *index;
    if (!base)
        return Error{ErrorCode::no_fitting_payload, "the package holds no full image, only deltas",
                     "give the image to start from: --base OLD.bin", 0};
    return Error{ErrorCode::no_fitting_payload,
                 "the package holds no delta from " + options.base + " (" + to_hex(sha256(*base)) + ")",
                 "mcuota-pack inspect " + options.file +
                     " lists the bases; without --base the full image is "
                     "taken",
                 0};
}

}  // namespace

Result<void> apply(const ApplyOptions& options) {
    const auto package = package::open_artifact(options.file);
    if (!package) return package.error();
    const auto entry = choose(*package, options.hardware);
    if (!entry) return entry.error();
    std::optional<package::Bytes> base;
    if (!options.base.empty()) {
        auto bytes = read_file(options.base, package::kImageBytesMax, ErrorCode::image_too_large);
        if (!bytes) return std::move(bytes).error();
        base = std::move(*bytes);
    }
    const Manifest& manifest = (*entry)->manifest;
    const auto index = payload_of(manifest, options, base);
    if (!index) return index.error();
    const auto image = package::decode_image(
        **entry, *index, base ? std::span<const std::uint8_t>(*base) : std::span<const std::uint8_t>());
    if (!image) return image.error();
    if (auto written = write_result(options.out, *image); !written) return written;

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
