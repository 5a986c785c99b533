#pragma once
// .mcup packages on the host: reading, verifying with OpenSSL, writing. Choosing a payload for a device:
// envelope.hpp.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mcu_flasher/base/result.hpp"
#include "mcu_loader/core/manifest.hpp"

namespace mcuota::package {

using Bytes = std::vector<std::uint8_t>;

/// One entry of a container: a manifest with its signature and payloads.
struct Entry {
    Manifest manifest;
    Bytes manifest_bytes;
    Bytes signature;
    std::vector<Bytes> payloads;  ///< same order as manifest.payloads
};

/// A whole container.
struct Package {
    std::vector<Entry> entries;
    /// Key rotation records, one per generation, ascending without gap: what a device may need before it
    /// knows the key of the entries.
    std::vector<Bytes> rotations{};
    [[nodiscard]] const Entry* find(std::string_view hardware) const;
};

/// Bounds for files from outside. A file beyond them is refused before it is read.
struct Limits {
    std::uint64_t file_bytes_max{64ULL << 20};
};

/// Parses a container completely (docs/package-format.md §1): every size, every order, every payload hash.
[[nodiscard]] Result<Package> parse(std::span<const std::uint8_t> file);
[[nodiscard]] Result<Package> read(const std::filesystem::path& file, const Limits& limits = {});
/// The one valid byte form.
[[nodiscard]] Result<Bytes> serialize(const Package& package);

/// Public keys a gateway trusts, from PEM files.
class Keyring {
  public:
    [[nodiscard]] Result<void> add_pem(std::string_view pem, std::string_view origin);
    [[nodiscard]] Result<void> add_file(const std::filesystem::path& pem_file);
    [[nodiscard]] bool empty() const noexcept { return keys_.empty(); }
    /// key_unknown or signature_invalid when the entry is not signed by one of the keys.
    [[nodiscard]] Result<void> verify(const Entry& entry) const;
    /// The same for a key rotation record.
    [[nodiscard]] Result<void> verify_rotation(std::span<const std::uint8_t> record) const;

  private:
    struct Key {
        SignatureAlgorithm algorithm;
        KeyId id;
        Bytes public_key_der;
        std::string origin;
    };
    [[nodiscard]] Result<void> verify(const std::string& what, std::optional<SignatureAlgorithm> algorithm,
                                      const KeyId& id, std::span<const std::uint8_t> message,
                                      std::span<const std::uint8_t> signature) const;
    std::vector<Key> keys_;
};

/// "raw", "lzma", "lzma-thumb", …
[[nodiscard]] std::string_view to_string(PayloadKind kind) noexcept;

/// Compares two versions by the rule of docs/package-format.md §5: <0, 0, >0.
[[nodiscard]] int compare_versions(std::string_view a, std::string_view b);

}  // namespace mcuota::package
