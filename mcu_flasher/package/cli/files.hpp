#pragma once
// What the commands share about files and keys.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "mcu_flasher/package/cli/commands.hpp"
#include "mcu_flasher/package/package.hpp"
#include "mcu_flasher/package/pkcs11_signer.hpp"
#include "mcu_flasher/package/signer.hpp"

namespace mcuota::pack {

/// write_file(), during which signals that end the program wait: Ctrl-C leaves no temporary file behind. A
/// device or a pipe is written to, a link's target replaced.
[[nodiscard]] Result<void> write_result(const std::string& file, std::span<const std::uint8_t> bytes);

/// "OLD.bin@1.9.0" → file and version. A file whose own name holds the @ goes first.
[[nodiscard]] std::pair<std::string, std::string> split_version(const std::string& argument);

/// An image to tell a new one by.
struct BaseFile {
    std::vector<std::uint8_t> image;
    std::string file;
    std::string version;  ///< empty when not told
    /// "old.bin (1.9.0)".
    [[nodiscard]] std::string name() const;
};
/// Reads the files of `--base` arguments.
[[nodiscard]] Result<std::vector<BaseFile>> read_bases(const std::vector<std::string>& arguments);

/// Reads key rotation records, one a file.
[[nodiscard]] Result<std::vector<package::Bytes>> read_rotations(const std::vector<std::string>& files);

/// A token's key by its URI; the PIN is the environment's MCUOTA_PIN unless the URI tells it.
[[nodiscard]] Result<std::unique_ptr<package::Pkcs11Signer>> open_token(const std::string& uri);

/// The key that signs.
[[nodiscard]] Result<std::unique_ptr<package::Signer>> signer_of(const SigningOptions& options);

}  // namespace mcuota::pack
