// The rules of a staged package, cheapest first.
#include "mcu_loader/core/device/package_check.hpp"

#include <algorithm>

#include "mcu_loader/core/every.hpp"
#include "mcu_loader/core/payload_decoder.hpp"

namespace mcuota::device {
namespace {

constexpr std::size_t kChunkBytes = 512;

Status read_manifest(Staging& staging, SignedManifest& out) noexcept {
    out.manifest_bytes = staging.head().manifest_bytes;
    out.signature_bytes = staging.head().signature_bytes;
    const std::span<std::uint8_t> content = std::span{out.bytes}.first(out.all_bytes().size());
    if (const Status status = staging.read(link::kEnvelopeHeadBytes, content); status != Status::ok) {
        return status;
    }
    return parse_manifest(out.signed_bytes(), out.manifest);
}

Status check_rules(const Manifest& manifest, const CheckAgainst& against) noexcept {
    if (manifest.hardware.view() != against.product.hardware) {
        return Status::wrong_hardware;
    }
    if (manifest.load_address != against.product.load_address) {
        return Status::wrong_load_address;
    }
    if (manifest.image_size_bytes > against.image_bytes_max) {
        return Status::image_too_large;
    }
    if (!counter_allowed(manifest, against.security_counter_floor)) {
        return Status::security_counter_old;
    }
    if (against.confirmed != nullptr && against.confirmed->image_sha256 == manifest.image_sha256) {
        return Status::already_running;
    }
    return Status::ok;
}

Status hash_payload(ByteSource& payload, Board& board, Sha256Digest& out) noexcept {
    Sha256 hash;
    std::array<std::uint8_t, kChunkBytes> chunk;
    const std::uint32_t size = payload.size_bytes();
    for (std::uint32_t offset = 0; offset < size;) {
        const std::span<std::uint8_t> piece =
            std::span{chunk}.first(std::min<std::size_t>(chunk.size(), size - offset));
        if (const Status status = payload.read(offset, piece); status != Status::ok) {
            return status;
        }
        hash.update(piece);
        offset += static_cast<std::uint32_t>(piece.size());
        board.feed_watchdog();
    }
    out = hash.digest();
    return Status::ok;
}

bool base_fits(const PayloadEntry& entry, const Manifest* base) noexcept {
    return base != nullptr && base->image_size_bytes == entry.base_size_bytes &&
           base->image_sha256 == entry.base_sha256;
}

/// The payload must be one the manifest lists, by kind, size and hash, or the manifest must allow derived
/// ones.
Status check_payload(const Manifest& manifest, const EnvelopeHead& head, ByteSource& payload, Board& board,
                     const CheckAgainst& against) noexcept {
    const auto bit = static_cast<unsigned>(head.kind);
    if (bit >= 32 || (against.product.payload_kinds >> bit & 1U) == 0) {
        return Status::payload_unsupported;
    }
    const std::span entries = std::span{manifest.payloads}.first(manifest.payload_count);
    const auto fits_kind_and_size = [&](const PayloadEntry& entry) {
        return entry.kind == head.kind && entry.size_bytes == head.payload_bytes;
    };
    const bool derived_allowed = (manifest.flags & kFlagAllowDerived) != 0;
    if (every(entries, [&](const PayloadEntry& entry) { return !fits_kind_and_size(entry); }) &&
        !derived_allowed) {
        return Status::payload_not_listed;
    }
    Sha256Digest digest{};
    if (const Status status = hash_payload(payload, board, digest); status != Status::ok) {
        return status;
    }
    const PayloadEntry* listed = nullptr;
    for (const PayloadEntry& entry : entries) {
        if (fits_kind_and_size(entry) && entry.sha256 == digest) {
            listed = &entry;
            break;
        }
    }
    if (listed == nullptr) {
        if (!derived_allowed) {
            return Status::payload_hash_mismatch;
        }
        const bool base_here =
            against.base != nullptr && against.base->image_size_bytes == head.base_size_bytes;
        return needs_base(head.kind) && !base_here ? Status::base_mismatch : Status::ok;
    }
    return needs_base(head.kind) && !base_fits(*listed, against.base) ? Status::base_mismatch : Status::ok;
}

}  // namespace

Status check_package(Staging& staging, Board& board, const CheckAgainst& against,
                     SignedManifest& out) noexcept {
    if (!staging.complete()) {
        return Status::package_incomplete;
    }
    if (const Status status = read_manifest(staging, out); status != Status::ok) {
        return status;
    }
    board.feed_watchdog();
    if (against.keys != nullptr) {
        const Status status = against.keys->verify_new(out.manifest, out.signed_bytes(), out.signature());
        if (status != Status::ok) {
            return status;
        }
    }
    if (const Status status = check_rules(out.manifest, against); status != Status::ok) {
        return status;
    }
    StagedPayload payload{staging};
    if (const Status status = check_payload(out.manifest, staging.head(), payload, board, against);
        status != Status::ok) {
        return status;
    }
    const std::uint32_t memory =
        payload_memory_bytes(staging.head().kind, payload, out.manifest.image_size_bytes);
    if (memory == 0 && staging.head().kind != PayloadKind::raw) {
        return Status::payload_malformed;
    }
    return memory > against.product.decoder_memory_bytes ? Status::memory_budget : Status::ok;
}

}  // namespace mcuota::device
