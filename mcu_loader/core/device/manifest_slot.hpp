#pragma once
// Signed manifests at rest: the second part of each flag region keeps the manifest of an image the device
// holds (mcu_loader/SPEC.md §4). Freestanding.

#include <array>
#include <cstdint>
#include <span>

#include "mcu_loader/core/device/board.hpp"
#include "mcu_loader/core/device/journal.hpp"
#include "mcu_loader/core/device/key_chain.hpp"
#include "mcu_loader/core/device/storage.hpp"
#include "mcu_loader/core/manifest.hpp"
#include "mcu_loader/core/signature.hpp"

namespace mcuota::device {

/// A manifest with the bytes its signature covers. About 4 KiB: keep it off the stack.
struct SignedManifest {
    std::array<std::uint8_t, kManifestBytesMax + kSignatureBytesMax>
        bytes{};  ///< manifest, signature, back to back
    std::uint16_t manifest_bytes{0};
    std::uint16_t signature_bytes{0};
    Manifest manifest{};
    [[nodiscard]] std::span<const std::uint8_t> signed_bytes() const noexcept {
        return std::span{bytes}.first(manifest_bytes);
    }
    [[nodiscard]] std::span<const std::uint8_t> signature() const noexcept {
        return std::span{bytes}.subspan(manifest_bytes, signature_bytes);
    }
    [[nodiscard]] std::span<const std::uint8_t> all_bytes() const noexcept {
        return std::span{bytes}.first(std::size_t{manifest_bytes} + signature_bytes);
    }
};

/// The region a slot (or a copy of the keys) lies in.
[[nodiscard]] Region region_of(Slot slot) noexcept;
/// The other slot; `a` for none.
[[nodiscard]] Slot other(Slot slot) noexcept;

/// Reads and parses a slot. With keys the signature is verified, too, by any key of the chain. Answers
/// manifest_malformed for a slot that is none, blank or unsealed; key_unknown, signature_invalid,
/// algorithm_unsupported; or a storage error.
[[nodiscard]] Status load_slot(Storage& storage, Slot slot, KeyChain* keys, SignedManifest& out) noexcept;

/// Whether the region holds, from `offset` on, the image of `manifest`. `buffer` is where it is read to.
/// Answers a storage error or ok.
[[nodiscard]] Status holds_image(Storage& storage, Board& board, Region region, std::uint32_t offset,
                                 const Manifest& manifest, std::span<std::uint8_t> buffer,
                                 bool& whole) noexcept;

/// Erases the slot and writes `manifest` with its seal.
[[nodiscard]] Status store_slot(Storage& storage, Slot slot, const SignedManifest& manifest) noexcept;

}  // namespace mcuota::device
