#pragma once
// Facts about the loader and its keys at a fixed place of its flash, where the agent of an application finds
// them.

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "mcu_loader/core/rotation.hpp"

namespace mcuota::stm32f429 {

constexpr std::uint32_t kLoaderInfoAddress = 0x0800'0200;
constexpr std::uint32_t kLoaderInfoMagic = 0x494C'434D;  // "MCLI"

struct LoaderInfo {
    std::uint32_t magic;
    std::uint32_t decoder_memory_bytes;  ///< what decoding a payload may use
    std::uint32_t payload_kinds;         ///< bit k = PayloadKind k
    std::array<char, 20> version;        ///< padded with zeros, the last byte always one
};
static_assert(sizeof(LoaderInfo) == 32);

[[nodiscard]] constexpr LoaderInfo make_loader_info(std::uint32_t decoder_memory_bytes,
                                                    std::uint32_t payload_kinds,
                                                    std::string_view version) noexcept {
    LoaderInfo info{kLoaderInfoMagic, decoder_memory_bytes, payload_kinds, {}};
    for (std::size_t i = 0; i < version.size() && i + 1 < info.version.size(); ++i)
        info.version[i] = version[i];
    return info;
}

/// What stands in the loader's flash, or null when there is no loader of ours (an application run by a
/// debugger).
[[nodiscard]] inline const LoaderInfo* loader_info() noexcept {
    const auto* info = reinterpret_cast<const LoaderInfo*>(static_cast<std::uintptr_t>(kLoaderInfoAddress));
    return info->magic == kLoaderInfoMagic && info->version.back() == '\0' ? info : nullptr;
}

/// The loader's two keys, right behind the facts: a table of fixed size, so that a program which proves
/// packages on the virtual board can put another key into a loader's binary.
constexpr std::uint32_t kLoaderKeysAddress = 0x0800'0220;
constexpr std::uint32_t kLoaderKeysMagic = 0x4B4C'434D;  // "MCLK"

struct LoaderKey {
    std::uint32_t algorithm;                             ///< SignatureAlgorithm; 0: there is no such key
    KeyId id;                                            ///< first bytes of SHA-256 over its DER
    std::array<std::uint8_t, kPublicKeyBytesMax> bytes;  ///< PublicKey::bytes, padded with zeros
};
struct LoaderKeys {
    std::uint32_t magic;
    LoaderKey current;
    LoaderKey next;
};
static_assert(sizeof(LoaderKey) == 268 && sizeof(LoaderKeys) == 540);

[[nodiscard]] constexpr LoaderKey make_loader_key(const PublicKey& key) noexcept {
    LoaderKey out{static_cast<std::uint32_t>(key.algorithm), key.id, {}};
    for (std::size_t i = 0; i < key.bytes.size(); ++i)
        out.bytes[i] = key.bytes[i];
    return out;
}

/// `keys`: current, or current and next.
[[nodiscard]] constexpr LoaderKeys make_loader_keys(std::span<const PublicKey> keys) noexcept {
    LoaderKeys out{kLoaderKeysMagic, make_loader_key(keys[0]), {}};
    if (keys.size() > 1) out.next = make_loader_key(keys[1]);
    return out;
}

/// The keys of the loader in this chip's flash, in the form the decisions take them.
class BuiltInKeys {
  public:
    /// Reads the table of the loader in flash. None when there is no loader of ours.
    BuiltInKeys() noexcept {
        const auto* table =
            reinterpret_cast<const LoaderKeys*>(static_cast<std::uintptr_t>(kLoaderKeysAddress));
        if (table->magic != kLoaderKeysMagic) return;
        add(table->current);
        if (count_ == 1) add(table->next);
    }
    [[nodiscard]] std::span<const PublicKey> keys() const noexcept { return std::span{keys_}.first(count_); }

  private:
    void add(const LoaderKey& key) noexcept {
        constexpr std::size_t kPointBytes = 65;
        const auto algorithm = static_cast<SignatureAlgorithm>(key.algorithm);
        const bool rsa = algorithm == SignatureAlgorithm::rsa_2048_pkcs1_sha256;
        const auto bytes = std::span{key.bytes}.first(rsa ? key.bytes.size() : kPointBytes);
        if (!valid_key_form(algorithm, bytes)) return;
        keys_[count_] = {algorithm, key.id, bytes};
        ++count_;
    }
    std::array<PublicKey, 2> keys_{};
    std::size_t count_{0};
};

}  // namespace mcuota::stm32f429
