// mcuota-pack merge and zip: one upload for many hardware types, in the wrapping a cloud wants.

#include <boost/json/array.hpp>
#include <filesystem>
#include <iostream>

#include "mcu_flasher/base/file.hpp"
#include "mcu_flasher/package/artifact.hpp"
#include "mcu_flasher/package/cli/commands.hpp"
#include "mcu_flasher/package/cli/files.hpp"
#include "mcu_flasher/package/cli/output.hpp"
#include "mcu_flasher/package/rotation_file.hpp"
#include "mcu_flasher/package/zip_writer.hpp"

namespace mcuota::pack {
namespace {

/// Adds the entries of `file` to `all`; for hardware that is there already only the same entry is welcome.
Result<void> add_entries(package::Package& all, const std::string& file) {
    auto more = package::open_artifact(file);
    if (!more) return std::move(more).error();
    for (package::Entry& entry : more->entries) {
        const package::Entry* const have = all.find(entry.manifest.hardware.view());
        if (have == nullptr) {
            all.entries.push_back(std::move(entry));
            continue;
        }
        if (have->manifest_bytes != entry.manifest_bytes)
            return Error{ErrorCode::usage,
                         file + " is for " + std::string(entry.manifest.hardware.view()) +
                             ", and so is a package before it",
                         "make one package with all bases: mcuota-pack create --base A --base B", 0};
    }
    all.rotations.insert(all.rotations.end(), more->rotations.begin(), more->rotations.end());
    return {};
}

}  // namespace

Result<void> merge(const MergeOptions& options) {
    package::Package all;
    for (const std::string& file : options.files)
        if (auto added = add_entries(all, file); !added) return added;
    auto rotations = package::chain_of(std::move(all.rotations));
    if (!rotations) return std::move(rotations).error();
    all.rotations = std::move(*rotations);
    const auto bytes = package::serialize(all);
    if (!bytes) return bytes.error();
    if (auto written = write_result(options.out, *bytes); !written) return written;

    const auto again = package::parse(*bytes);
    if (!again) return again.error();
    if (options.json) {
        boost::json::array entries;
        for (const package::Entry& entry : again->entries)
            entries.push_back(
                {{"hardware", entry.manifest.hardware.view()}, {"version", entry.manifest.version.view()}});
        print_json({{"file", options.out}, {"bytes", bytes->size()}, {"entries", std::move(entries)}});
        return {};
    }
    std::cout << options.out << ": " << bytes->size() << " bytes, for " << again->entries.size()
              << (again->entries.size() == 1 ? " hardware type\n" : " hardware types\n");
    for (const package::Entry& entry : again->entries)
        std::cout << "  " << entry.manifest.hardware.view() << ' ' << entry.manifest.version.view() << '\n';
    return {};
}

Result<void> zip(const ZipOptions& options) {
    const auto bytes =
        read_file(options.file, package::Limits{}.file_bytes_max, ErrorCode::package_oversized);
    if (!bytes) return bytes.error();
    if (auto package = package::parse(*bytes); !package)
        return std::move(package).error().while_doing("reading " + options.file);
    const std::string name = std::filesystem::path(options.file).filename().string();
    const auto zipped = package::zip_of(name, *bytes);
    if (!zipped) return zipped.error();
    if (auto again = package::unwrap_artifact(*zipped); !again)
        return std::move(again).error().while_doing("checking the new zip");
    if (auto written = write_result(options.out, *zipped); !written) return written;

    if (options.json)
        print_json({{"file", options.out}, {"bytes", zipped->size()}, {"member", name}});
    else
        std::cout << options.out << ": " << zipped->size() << " bytes, holds " << name << '\n';
    return {};
}

}  // namespace mcuota::pack
