// mcuota-pack extract: the parts of a package or of a foreign file as files of their own.

#include <algorithm>
#include <boost/json/array.hpp>
#include <filesystem>
#include <iostream>
#include <utility>

#include "mcu_flasher/base/file.hpp"
#include "mcu_flasher/package/alios_package.hpp"
#include "mcu_flasher/package/artifact.hpp"
#include "mcu_flasher/package/cli/commands.hpp"
#include "mcu_flasher/package/cli/files.hpp"
#include "mcu_flasher/package/cli/output.hpp"
#include "mcu_flasher/package/liteos_package.hpp"

namespace mcuota::pack {
namespace {

using View = std::span<const std::uint8_t>;

/// A file to write: its name inside the folder, and its bytes.
struct Part {
    std::string name;
    package::Bytes content;
};

/// A name from outside as a plain file name: no folders, no surprises.
std::string plain_name(const std::string& name, std::size_t number) {
    std::string out =
        name.substr(name.find_last_of("/\\") == std::string::npos ? 0 : name.find_last_of("/\\") + 1);
    for (char& c : out) {
        const bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                           c == '.' || c == '_' || c == '-' || c == '+';
        if (!plain) c = '_';
    }
    constexpr std::size_t kLongest = 100;
    out = out.substr(0, kLongest);
    if (out.empty() || out[0] == '.') out = "file-" + std::to_string(number) + out;
    return out;
}

std::vector<Part> parts_of(const package::Package& package) {
    std::vector<Part> out;
    for (const package::Entry& entry : package.entries) {
        const std::string name = plain_name(std::string(entry.manifest.hardware.view()), out.size() + 1);
        out.push_back({name + ".manifest", entry.manifest_bytes});
        out.push_back({name + ".signature", entry.signature});
        for (std::size_t i = 0; i < entry.payloads.size(); ++i)
            out.push_back({name + "." + std::to_string(i + 1) + "." +
                               std::string(package::to_string(entry.manifest.payloads[i].kind)),
                           entry.payloads[i]});
    }
    for (std::size_t i = 0; i < package.rotations.size(); ++i)
        out.push_back({"rotation-" + std::to_string(i + 1) + ".mcuk", package.rotations[i]});
    return out;
}

Result<std::vector<Part>> foreign_parts(View file, const Error& otherwise) {
    const auto bytes_of = [](View view) { return package::Bytes(view.begin(), view.end()); };
    std::vector<Part> out;
    if (const auto liteos = package::recognise_liteos(file)) {
        if (!liteos->signature.empty()) out.push_back({"signature", bytes_of(liteos->signature)});
        out.push_back({"image.hdiff13", bytes_of(liteos->delta)});
        return out;
    }
    const Error damaged{ErrorCode::payload_mismatch, "the file is damaged: its sizes or sums do not fit",
                        "mcuota-pack inspect says what", 0};
    if (const auto image = package::recognise_alios_image(file)) {
        if (!image->size_fits || !image->md5_fits) return damaged;
        out.push_back({"image.bin", bytes_of(image->image)});
        return out;
    }
    if (const auto found = package::recognise_alios_pack(file)) {
        for (const package::AliosMember& member : found->members) {
            if (!member.md5_fits) return damaged;
            std::string name = plain_name(member.name, out.size() + 1);
            const bool taken =
                std::any_of(out.begin(), out.end(), [&](const Part& part) { return part.name == name; });
            if (taken) name = std::to_string(out.size() + 1) + "-" + name;
            out.push_back({std::move(name), bytes_of(member.content)});
        }
        return out;
    }
    return otherwise;
}

Result<std::vector<Part>> parts_in(const std::string& file) {
    const package::ArtifactLimits limits;
    const auto bytes = read_file(file, limits.file_bytes_max, ErrorCode::package_oversized);
    if (!bytes) return bytes.error();
    auto artifact = package::unwrap_artifact(*bytes, limits);
    if (!artifact) return std::move(artifact).error().while_doing("reading " + file);
    auto package = package::parse(artifact->package);
    if (!package) return foreign_parts(*bytes, std::move(package).error().while_doing("reading " + file));
    std::vector<Part> out = parts_of(*package);
    if (!artifact->member.empty())
        out.push_back({plain_name(artifact->member, out.size() + 1), std::move(artifact->package)});
    return out;
}

}  // namespace

Result<void> extract(const ExtractOptions& options) {
    const auto parts = parts_in(options.file);
    if (!parts) return parts.error();
    std::error_code failed;
    std::filesystem::create_directories(options.folder, failed);
    if (failed)
        return Error{ErrorCode::file_unwritable,
                     "the folder " + options.folder + " cannot be made: " + failed.message(), "check --out",
                     0};
    boost::json::array files;
    for (const Part& part : *parts) {
        const std::filesystem::path file = std::filesystem::path(options.folder) / part.name;
        if (auto written = write_result(file.string(), part.content); !written) return written;
        files.push_back({{"file", file.string()}, {"bytes", part.content.size()}});
        if (!options.json) std::cout << file.string() << "  " << part.content.size() << " bytes\n";
    }
    if (options.json) print_json({{"files", std::move(files)}});
    return {};
}

}  // namespace mcuota::pack
