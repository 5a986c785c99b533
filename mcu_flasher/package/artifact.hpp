#pragma once
// What clouds and people hand over: a .mcup package, or a zip that holds exactly one beside the signature
// files some clouds add (docs/packages.md).

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "mcu_flasher/base/result.hpp"
#include "mcu_flasher/package/package.hpp"

namespace mcuota::package {

/// Bounds for artifacts from outside; a package inside a zip is never unpacked beyond them.
struct ArtifactLimits {
    std::uint64_t file_bytes_max{64ULL << 20};     ///< of the file as it came
    std::uint64_t package_bytes_max{64ULL << 20};  ///< of the package inside a zip
    std::size_t entries_max{64};                   ///< of a zip, signature files and folders included
};

/// The package's bytes taken out of an artifact. They have not been parsed.
struct Artifact {
    Bytes package;
    std::string member;  ///< name inside the zip, for messages only; empty when the file was the package
};

/// Takes the package out of `file`'s bytes. Names inside a zip are never used as paths; entries named META*,
/// *.cer, *.cms, *.p7*, *.sig, *.json are passed over. Errors: package_malformed (damaged or encrypted zip,
/// no package or several in it), package_oversized.
[[nodiscard]] Result<Artifact> unwrap_artifact(std::span<const std::uint8_t> file,
                                               const ArtifactLimits& limits = {});
/// Reads a file and takes the package out of it: also not_found and file_unreadable.
[[nodiscard]] Result<Artifact> read_artifact(const std::filesystem::path& file,
                                             const ArtifactLimits& limits = {});
/// read_artifact() and parse(): what to use in place of read() wherever a zip is welcome, too.
[[nodiscard]] Result<Package> open_artifact(const std::filesystem::path& file,
                                            const ArtifactLimits& limits = {});

}  // namespace mcuota::package
