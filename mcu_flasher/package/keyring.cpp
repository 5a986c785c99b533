// The public keys a gateway trusts.

#include <algorithm>

#include "mcu_flasher/base/file.hpp"
#include "mcu_flasher/base/hex.hpp"
#include "mcu_flasher/package/openssl_key.hpp"
#include "mcu_flasher/package/package.hpp"
#include "mcu_loader/core/rotation.hpp"

namespace mcuota::package {
namespace {

constexpr std::uint64_t kPemBytesMax = 64U << 10;

}  // namespace

Result<void> Keyring::add_pem(std::string_view pem, std::string_view origin) {
    auto key = OpensslKey::from_public_pem(pem, origin);
    if (!key) return std::move(key).error();
    const bool known =
        std::any_of(keys_.begin(), keys_.end(), [&](const Key& have) { return have.id == key->id(); });
    if (!known) keys_.push_back({key->algorithm(), key->id(), key->public_der(), std::string(origin)});
    return {};
}

Result<void> Keyring::add_file(const std::filesystem::path& pem_file) {
    const auto bytes = read_file(pem_file, kPemBytesMax, ErrorCode::key_unreadable);
    if (!bytes) return bytes.error();
    return add_pem({reinterpret_cast<const char*>(bytes->data()), bytes->size()}, pem_file.string());
}

Result<void> Keyring::verify(const std::string& what, std::optional<SignatureAlgorithm> algorithm,
                             const KeyId& id, std::span<const std::uint8_t> message,
                             std::span<const std::uint8_t> signature) const {
    const auto key =
        std::find_if(keys_.begin(), keys_.end(), [&](const Key& candidate) { return candidate.id == id; });
    if (key == keys_.end())
        return Error{ErrorCode::key_unknown,
                     what + " is signed with key " + to_hex(id) + ", which is not among the " +
                         std::to_string(keys_.size()) + " trusted keys",
                     "check where the package comes from; trust its key only if it is yours", 0};
    const Error invalid{
        ErrorCode::signature_invalid,
        "the signature of " + what + " does not fit key " + to_hex(key->id) + " (" + key->origin + ")",
        "fetch the package again; if it stays, ask who made it", 0};
    if (algorithm && key->algorithm != *algorithm) return invalid;
    const auto openssl_key = OpensslKey::from_public_der(key->public_key_der);
    if (!openssl_key) return openssl_key.error();
    if (!openssl_key->verify(message, signature)) return invalid;
    return {};
}

Result<void> Keyring::verify(const Entry& entry) const {
    const Manifest& manifest = entry.manifest;
    return verify("the entry for " + std::string(manifest.hardware.view()), manifest.algorithm,
                  manifest.key_id, entry.manifest_bytes, entry.signature);
}

Result<void> Keyring::verify_rotation(std::span<const std::uint8_t> record) const {
    RotationRecord parsed;
    if (parse_rotation(record, parsed) != Status::ok)
        return Error{ErrorCode::package_malformed, "a key rotation record is not in its one valid form",
                     "fetch or make it again", 0};
    return verify("the key rotation to generation " + std::to_string(parsed.generation), std::nullopt,
                  parsed.signer, parsed.signed_bytes, parsed.signature);
}

}  // namespace mcuota::package
