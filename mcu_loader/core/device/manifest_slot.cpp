// Manifest slots: reading with every check, writing with a seal.
#include "mcu_loader/core/device/manifest_slot.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "mcu_loader/core/crc32.hpp"

namespace mcuota::device {
namespace {

constexpr std::uint32_t kSlotMagic = 0x314C534D;  // "MSL1"

/// In front of manifest and signature.
struct SlotHeader {
    std::uint32_t magic;
    std::uint16_t manifest_bytes;
    std::uint16_t signature_bytes;
    std::uint32_t content_crc;  // of manifest and signature
    std::uint32_t header_crc;   // of the 12 bytes above
};
static_assert(sizeof(SlotHeader) == 16 && offsetof(SlotHeader, header_crc) == 12);

std::uint32_t crc_of_header(const SlotHeader& header) noexcept {
    std::array<std::uint8_t, offsetof(SlotHeader, header_crc)> bytes;
    std::memcpy(bytes.data(), &header, bytes.size());
    return crc32(bytes);
}

}  // namespace

Region region_of(Slot slot) noexcept {
    return slot == Slot::b ? Region::flag_b : Region::flag_a;
}

Slot other(Slot slot) noexcept {
    return slot == Slot::a ? Slot::b : Slot::a;
}

Status load_slot(Storage& storage, Slot slot, KeyChain* keys, SignedManifest& out) noexcept {
    if (slot == Slot::none) {
        return Status::manifest_malformed;
    }
    const Region region = region_of(slot);
    const std::uint32_t begin = flag_layout(storage, region).slot_begin;
    std::array<std::uint8_t, sizeof(SlotHeader)> header_bytes;
    if (const Status status = storage.read(region, begin, header_bytes); status != Status::ok) {
        return status;
    }
    SlotHeader header;
    std::memcpy(&header, header_bytes.data(), sizeof header);
    if (header.magic != kSlotMagic || header.header_crc != crc_of_header(header) ||
        header.manifest_bytes > kManifestBytesMax || header.signature_bytes > kSignatureBytesMax) {
        return Status::manifest_malformed;
    }
    out.manifest_bytes = header.manifest_bytes;
    out.signature_bytes = header.signature_bytes;
    const std::size_t content = out.all_bytes().size();
    const std::span<std::uint8_t> destination = std::span{out.bytes}.first(content);
    const auto content_offset = static_cast<std::uint32_t>(begin + sizeof header);
    if (const Status status = storage.read(region, content_offset, destination); status != Status::ok) {
        return status;
    }
    if (crc32(destination) != header.content_crc) {
        return Status::manifest_malformed;
    }
    if (const Status status = parse_manifest(out.signed_bytes(), out.manifest); status != Status::ok) {
        return status;
    }
    return keys == nullptr ? Status::ok
                           : keys->verify_held(out.manifest, out.signed_bytes(), out.signature());
}

Status holds_image(Storage& storage, Board& board, Region region, std::uint32_t offset,
                   const Manifest& manifest, std::span<std::uint8_t> buffer, bool& whole) noexcept {
    Sha256 hash;
    const std::uint32_t end = offset + manifest.image_size_bytes;
    while (offset < end) {
        const std::span<std::uint8_t> piece =
            buffer.first(std::min<std::size_t>(buffer.size(), end - offset));
        if (const Status status = storage.read(region, offset, piece); status != Status::ok) {
            return status;
        }
        hash.update(piece);
        offset += static_cast<std::uint32_t>(piece.size());
        board.feed_watchdog();
    }
    whole = hash.digest() == manifest.image_sha256;
    return Status::ok;
}

Status store_slot(Storage& storage, Slot slot, const SignedManifest& manifest) noexcept {
    const Region region = region_of(slot);
    const FlagLayout layout = flag_layout(storage, region);
    const std::uint32_t begin = layout.slot_begin;
    const std::uint32_t length = layout.slot_bytes;
    const std::span<const std::uint8_t> content = manifest.all_bytes();
    if (slot == Slot::none || sizeof(SlotHeader) + content.size() > length) {
        return Status::out_of_range;
    }
    SlotHeader header{kSlotMagic, manifest.manifest_bytes, manifest.signature_bytes, crc32(content), 0};
    header.header_crc = crc_of_header(header);
    std::array<std::uint8_t, sizeof header> header_bytes;
    std::memcpy(header_bytes.data(), &header, sizeof header);

    if (const Status status = storage.erase(region, begin, length); status != Status::ok) {
        return status;
    }
    const auto content_offset = static_cast<std::uint32_t>(begin + sizeof header);
    if (const Status status = storage.program(region, content_offset, content); status != Status::ok) {
        return status;
    }
    return storage.program(region, begin, header_bytes);
}

}  // namespace mcuota::device
