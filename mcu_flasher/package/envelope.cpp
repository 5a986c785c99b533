// Choosing the payload for one device and cutting it out (docs/package-format.md §4).

#include "mcu_flasher/package/envelope.hpp"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "mcu_flasher/base/hex.hpp"
#include "mcu_loader/core/crc32.hpp"
#include "mcu_loader/core/little_endian.hpp"
#include "mcu_loader/core/rotation.hpp"

namespace mcuota::package {
namespace {

constexpr std::array<std::uint8_t, 4> kMagic = {0x4D, 0x43, 0x45, 0x31};  // "MCE1"
constexpr std::uint8_t kConfirmed = 1;                                    // link-protocol.md §4, tag 6
constexpr std::uint8_t kOnTrial = 2;

std::string text(const auto& bounded) {
    return std::string(bounded.view());
}

bool is_delta(const PayloadEntry& payload) {
    return payload.base_size_bytes != 0;
}

std::uint64_t envelope_bytes(const Entry& entry, const PayloadEntry& payload) {
    return link::kEnvelopeHeadBytes + entry.manifest_bytes.size() + entry.signature.size() +
           std::uint64_t{payload.size_bytes};
}

/// Why a payload does not fit the device; empty when it does.
std::string obstacle(const Entry& entry, const PayloadEntry& payload, const link::Identity& device,
                     bool full_only) {
    if (full_only && is_delta(payload)) return "only a full image is wanted";
    const auto kind = static_cast<unsigned>(payload.kind);
    if ((device.payload_kinds & (1U << kind)) == 0) return "the device cannot decode this kind";
    if (payload.memory_bytes > device.decoder_memory_bytes)
        return "it needs " + std::to_string(payload.memory_bytes) + " bytes of memory, the device has " +
               std::to_string(device.decoder_memory_bytes);
    if (envelope_bytes(entry, payload) > device.download_bytes)
        return "it takes " + std::to_string(envelope_bytes(entry, payload)) +
               " bytes, the device's download region has " + std::to_string(device.download_bytes);
    const bool runs = device.running.state == kConfirmed || device.running.state == kOnTrial;
    if (is_delta(payload) && (!runs || device.running.size_bytes != payload.base_size_bytes ||
                              device.running.sha256 != payload.base_sha256))
        return "it starts from image " + to_hex(std::span(payload.base_sha256).first(6)) +
               ", another one runs";
    return {};
}

Result<void> check_device(const Entry& entry, const link::Identity& device) {
    const Manifest& manifest = entry.manifest;
    const std::string name = text(manifest.hardware) + " " + text(manifest.version);
    if (manifest.load_address != device.load_address)
        return Error{ErrorCode::wrong_hardware,
                     name + " is linked for another address than the device's application",
                     "build the package with the device's --load-address", 0};
    if (!counter_allowed(manifest, device.security_counter_floor))
        return Error{ErrorCode::security_counter_too_old,
                     name + " has security counter " + std::to_string(manifest.security_counter) +
                         ", the device accepts " + std::to_string(device.security_counter_floor) + " or more",
                     "use a newer package", 0};
    if (manifest.image_size_bytes > device.image_bytes_max)
        return Error{ErrorCode::image_too_large,
                     "the image of " + name + " has " + std::to_string(manifest.image_size_bytes) +
                         " bytes, the device has room for " + std::to_string(device.image_bytes_max),
                     "build a smaller image", 0};
    if (device.running.state == kConfirmed && device.running.size_bytes == manifest.image_size_bytes &&
        device.running.sha256 == manifest.image_sha256)
        return Error{ErrorCode::nothing_to_do, name + " runs on the device already, confirmed", "", 0};
    if (device.key_current != KeyId{} && manifest.key_id != device.key_current)
        return Error{ErrorCode::key_unknown,
                     name + " is signed with key " + to_hex(manifest.key_id) +
                         ", the device takes packages of key " + to_hex(device.key_current) + " only",
                     "sign it with that key, or add the key rotations that lead to the other one", 0};
    return {};
}

Candidate candidate(const Entry& entry, std::size_t index, const link::Identity& device, bool full_only) {
    const PayloadEntry& payload = entry.manifest.payloads[index];
    return {index, payload.kind, payload.size_bytes, envelope_bytes(entry, payload),
            obstacle(entry, payload, device, full_only)};
}

void sort_by_cost(const Entry& entry, std::vector<Candidate>& candidates) {
    const auto rank = [&entry](const Candidate& it) {
        const PayloadEntry& payload = entry.manifest.payloads[it.payload_index];
        return std::tuple(it.envelope_bytes, is_delta(payload), payload.memory_bytes, it.payload_index);
    };
    std::sort(candidates.begin(), candidates.end(),
              [&rank](const Candidate& a, const Candidate& b) { return rank(a) < rank(b); });
}

}  // namespace

Envelope make_envelope(const Entry& entry, std::size_t payload_index) {
    const PayloadEntry& payload = entry.manifest.payloads[payload_index];
    std::array<std::uint8_t, link::kEnvelopeHeadBytes> head{};
    std::copy(kMagic.begin(), kMagic.end(), head.begin());
    store_u16(&head[4], static_cast<std::uint32_t>(entry.manifest_bytes.size()));
    store_u16(&head[6], static_cast<std::uint32_t>(entry.signature.size()));
    store_u32(&head[8], payload.size_bytes);
    head[12] = static_cast<std::uint8_t>(payload.kind);
    store_u32(&head[16], payload.base_size_bytes);
    store_u32(&head[20], crc32(std::span(head).first(20)));

    Envelope out{Bytes(static_cast<std::size_t>(envelope_bytes(entry, payload))),
                 payload.kind,
                 payload.size_bytes,
                 {}};
    auto at = std::copy(head.begin(), head.end(), out.bytes.begin());
    at = std::copy(entry.manifest_bytes.begin(), entry.manifest_bytes.end(), at);
    at = std::copy(entry.signature.begin(), entry.signature.end(), at);
    std::copy(entry.payloads[payload_index].begin(), entry.payloads[payload_index].end(), at);
    out.package_id = sha256(out.bytes);
    return out;
}

std::string to_string(const Candidate& candidate) {
    return std::string(to_string(candidate.kind)) + ", " + std::to_string(candidate.payload_bytes) + " bytes";
}

Result<Candidates> candidates_for(const Package& package, const link::Identity& device, bool full_only) {
    Candidates out;
    out.entry = package.find(device.hardware.view());
    if (out.entry == nullptr) {
        std::string names;
        for (const Entry& other : package.entries)
            names += (names.empty() ? "" : ", ") + text(other.manifest.hardware);
        return Error{ErrorCode::wrong_hardware,
                     "the package is for " + names + ", the device is " + text(device.hardware),
                     "use the package made for " + text(device.hardware), 0};
    }
    if (auto fits = check_device(*out.entry, device); !fits) return std::move(fits).error();

    for (std::size_t i = 0; i < out.entry->manifest.payload_count; ++i) {
        Candidate it = candidate(*out.entry, i, device, full_only);
        (it.obstacle.empty() ? out.fitting : out.unfit).push_back(std::move(it));
    }
    sort_by_cost(*out.entry, out.fitting);
    sort_by_cost(*out.entry, out.unfit);
    if (out.fitting.empty()) {
        std::string reasons;
        for (const Candidate& it : out.unfit)
            reasons += (reasons.empty() ? "" : "; ") + std::string(to_string(it.kind)) + ": " + it.obstacle;
        return Error{ErrorCode::no_fitting_payload,
                     "no payload for " + text(device.hardware) + " fits: " + reasons,
                     "build the package with a full image for this device", 0};
    }
    return out;
}

Result<Envelope> envelope_for(const Package& package, const link::Identity& device, bool full_only) {
    const auto candidates = candidates_for(package, device, full_only);
    if (!candidates) return candidates.error();
    return make_envelope(*candidates->entry, candidates->fitting.front().payload_index);
}

std::vector<Bytes> rotations_for(const Package& package, const link::Identity& device) {
    std::vector<Bytes> missing;
    if (device.key_current == KeyId{}) return missing;
    for (const Bytes& record : package.rotations) {
        RotationRecord rotation;
        if (parse_rotation(record, rotation) == Status::ok && rotation.generation > device.key_generation)
            missing.push_back(record);
    }
    return missing;
}

bool refuses_payload(Status status) noexcept {
    switch (status) {
        case Status::base_mismatch:
        case Status::payload_unsupported:
        case Status::payload_too_large:
        case Status::memory_budget:
        case Status::payload_malformed:
        case Status::payload_hash_mismatch:
        case Status::image_hash_mismatch:
            return true;
        default:
            return false;
    }
}

std::string_view to_string(PayloadKind kind) noexcept {
    switch (kind) {
        case PayloadKind::raw:
            return "raw";
        case PayloadKind::lzma:
            return "lzma";
        case PayloadKind::lzma_thumb:
            return "lzma-thumb";
        case PayloadKind::hdiffsf20:
            return "hdiffsf20";
        case PayloadKind::hdiff13:
            return "hdiff13";
        case PayloadKind::relocated:
            return "relocated";
    }
    return "unknown";
}

}  // namespace mcuota::package
