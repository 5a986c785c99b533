#pragma once
// .mcup packages on the host: reading, verifying with OpenSSL, choosing and cutting a payload for one device,
// writing.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mcu_flasher/base/result.hpp"
#include "mcu_loader/core/link/target.hpp"
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

/// A payload cut out for one device, ready for Flasher::send().
struct Envelope {
    Bytes bytes;
    PayloadKind kind;
    std::uint32_t payload_bytes;
    Sha256Digest package_id;  ///< SHA-256 of `bytes`
};

/// The envelope of one payload (docs/package-format.md §4). `payload_index` is valid for the entry.
[[nodiscard]] Bytes make_envelope(const Entry& entry, std::size_t payload_index);

/// "raw", "lzma", "lzma-thumb", …
[[nodiscard]] std::string_view to_string(PayloadKind kind) noexcept;

/// Picks the cheapest payload that fits what the device reports (kinds, memory, base image by hash, sizes,
/// counter). Errors: wrong_hardware (also when linked for another address), security_counter_too_old,
/// image_too_large, no_fitting_payload, nothing_to_do (the image runs there, confirmed).
[[nodiscard]] Result<Envelope> envelope_for(const Package& package, const link::Identity& device,
                                            bool full_only = false);

/// Compares two versions by the rule of docs/package-format.md §5: <0, 0, >0.
[[nodiscard]] int compare_versions(std::string_view a, std::string_view b);

}  // namespace mcuota::package
