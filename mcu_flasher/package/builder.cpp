// Manifest, payload, signature: a package from an image.

#include "mcu_flasher/package/builder.hpp"

#include <algorithm>

#include "mcu_flasher/base/hex.hpp"
#include "mcu_flasher/base/status_text.hpp"
#include "mcu_flasher/package/memory_bytes.hpp"
#include "mcu_flasher/package/rotation_file.hpp"

namespace mcuota::package {
namespace {

bool allowed(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '+' || c == '-';
}

template <std::size_t Max>
Result<BoundedText<Max>> bounded(std::string_view name, std::string_view value) {
    if (value.empty() || value.size() > Max || !std::all_of(value.begin(), value.end(), allowed))
        return Error{ErrorCode::usage, "\"" + std::string(value) + "\" cannot be a " + std::string(name),
                     "use 1 to " + std::to_string(Max) + " of the characters A-Z a-z 0-9 . _ + -", 0};
    BoundedText<Max> out;
    std::copy(value.begin(), value.end(), out.bytes.begin());
    out.length = static_cast<std::uint8_t>(value.size());
    return out;
}

Result<Requirement> requirement_of(const std::string& text) {
    const std::size_t at = text.find(">=");
    if (at == std::string::npos)
        return Error{ErrorCode::usage, "\"" + text + "\" is no requirement",
                     "write NAME>=VERSION, quoted: the shell must not see the >", 0};
    const auto name = bounded<kHardwareBytesMax>("device name", std::string_view(text).substr(0, at));
    if (!name) return name.error();
    const auto version = bounded<kVersionBytesMax>("version", std::string_view(text).substr(at + 2));
    if (!version) return version.error();
    return Requirement{*name, *version};
}

Result<void> add_conditions(Manifest& out, const BuildRequest& request) {
    if (request.downgrade_floor_max != 0 && request.downgrade_floor_max <= request.security_counter)
        return Error{ErrorCode::usage,
                     "a downgrade from counter " + std::to_string(request.downgrade_floor_max) +
                         " to counter " + std::to_string(request.security_counter) + " is none",
                     "allow it only for packages with a lower counter than the devices have", 0};
    out.downgrade_floor_max = request.downgrade_floor_max;
    std::vector<std::string> required = request.required;
    std::sort(required.begin(), required.end());
    required.erase(std::unique(required.begin(), required.end()), required.end());
    if (required.size() > kRequiresMax)
        return Error{ErrorCode::usage,
                     "a package names at most " + std::to_string(kRequiresMax) + " requirements",
                     "leave out what follows from the others", 0};
    for (const std::string& text : required) {
        const auto requirement = requirement_of(text);
        if (!requirement) return requirement.error();
        out.required[out.requires_count++] = *requirement;
    }
    return {};
}

/// The rotations in order, when they end with the key that signs.
Result<std::vector<Bytes>> rotations_of(const BuildRequest& request, const Signer& signer) {
    auto chain = chain_of(request.rotations);
    if (!chain || chain->empty()) return chain;
    RotationRecord last;
    if (parse_rotation(chain->back(), last) == Status::ok && last.signer == signer.key_id()) return chain;
    return Error{ErrorCode::usage,
                 "after the rotation to generation " + std::to_string(last.generation) + " key " +
                     to_hex(last.signer) + " signs packages, not " + to_hex(signer.key_id()),
                 "sign with the key that signed the last rotation record", 0};
}

Result<Manifest> describe(std::span<const std::uint8_t> image, const BuildRequest& request,
                          const Signer& signer) {
    if (image.empty())
        return Error{ErrorCode::usage, "the image is empty", "give the file your linker wrote", 0};
    if (image.size() > kImageBytesMax)
        return Error{ErrorCode::image_too_large,
                     "the image has " + std::to_string(image.size()) + " bytes, at most " +
                         std::to_string(kImageBytesMax) + " are possible",
                     "give a binary image, not an ELF file with debug information", 0};
    const auto hardware = bounded<kHardwareBytesMax>("hardware id", request.hardware);
    if (!hardware) return hardware.error();
    const auto version = bounded<kVersionBytesMax>("version", request.version);
    if (!version) return version.error();

    Manifest out;
    out.hardware = *hardware;
    out.version = *version;
    out.security_counter = request.security_counter;
    out.image_size_bytes = static_cast<std::uint32_t>(image.size());
    out.image_sha256 = sha256(image);
    out.load_address = request.load_address;
    out.algorithm = signer.algorithm();
    out.key_id = signer.key_id();
    out.flags = request.allow_derived ? kFlagAllowDerived : 0;
    if (auto added = add_conditions(out, request); !added) return std::move(added).error();
    return out;
}

void list(Entry& entry, const EncodedPayload& payload, std::uint32_t base_bytes,
          const Sha256Digest& base_sha256) {
    entry.manifest.payloads[entry.manifest.payload_count] = {
        payload.kind,          static_cast<std::uint32_t>(payload.bytes.size()),
        sha256(payload.bytes), base_bytes,
        base_sha256,           payload.memory_bytes};
    ++entry.manifest.payload_count;
    entry.payloads.push_back(payload.bytes);
}

Result<void> check_bases(const BuildRequest& request) {
    const std::size_t most = kPayloadsMax - (request.full ? 1 : 0);
    if (request.bases.size() > most)
        return Error{ErrorCode::usage,
                     "a package lists at most " + std::to_string(most) +
                         (request.full ? " bases beside the full image" : " bases"),
                     "leave out the oldest: their devices take the full image", 0};
    if (!request.full && request.bases.empty())
        return Error{ErrorCode::usage, "a package without a full image needs a base", "give --base OLD.bin",
                     0};
    if (request.delta_formats.empty())
        return Error{ErrorCode::usage, "no delta format is allowed", "allow one", 0};
    return {};
}

/// Lists the payloads that are worth it; each is decoded before it may be signed.
Result<void> add_payloads(Entry& entry, const Built& built, const BuildRequest& request) {
    if (request.full) {
        list(entry, built.full, 0, {});
        if (auto decoded = decode_image(entry, 0); !decoded)
            return std::move(decoded).error().while_doing("proving the new payload");
    }
    for (std::size_t i = 0; i < built.bases.size(); ++i) {
        const BaseOutcome& outcome = built.bases[i];
        if (!outcome.left_out.empty()) continue;
        list(entry, outcome.delta, outcome.base_bytes, outcome.base_sha256);
        if (auto decoded = decode_image(entry, entry.payloads.size() - 1, request.bases[i].image); !decoded)
            return std::move(decoded).error().while_doing("proving the delta from " + outcome.name);
    }
    if (entry.payloads.empty()) {
        std::string why;
        for (const BaseOutcome& outcome : built.bases)
            why += (why.empty() ? "" : "; ") + outcome.name + ": " + outcome.left_out;
        return Error{ErrorCode::no_fitting_payload, "no payload would be in the package: " + why,
                     "let it hold the full image, too", 0};
    }
    return {};
}

}  // namespace

Result<Built> build(std::span<const std::uint8_t> image, const BuildRequest& request, const Signer& signer) {
    if (auto good = check_bases(request); !good) return std::move(good).error();
    auto manifest = describe(image, request, signer);
    if (!manifest) return std::move(manifest).error();
    auto rotations = rotations_of(request, signer);
    if (!rotations) return std::move(rotations).error();
    // Also when it is not listed: it says which deltas are worth it.
    auto full = encode_full(image, request.memory_bytes_max, request.progress);
    if (!full) return std::move(full).error();
    DeltaRequest deltas;
    deltas.formats = request.delta_formats;
    deltas.load_address = request.delta_load_address;
    deltas.memory_bytes_max = request.memory_bytes_max;
    deltas.worth_below_bytes = full->bytes.size();
    deltas.progress = request.delta_progress;
    auto bases = encode_bases(request.bases, image, deltas);
    if (!bases) return std::move(bases).error();

    Built out;
    out.full = std::move(*full);
    out.bases = std::move(*bases);
    Entry entry;
    entry.manifest = *manifest;
    if (auto added = add_payloads(entry, out, request); !added) return std::move(added).error();
    entry.manifest_bytes.resize(kManifestBytesMax);
    const std::size_t size = encode_manifest(entry.manifest, entry.manifest_bytes);
    if (size == 0) return Error{ErrorCode::internal, "the manifest cannot be expressed", "", 0};
    entry.manifest_bytes.resize(size);
    auto signature = signer.sign(entry.manifest_bytes);
    if (!signature) return std::move(signature).error();
    entry.signature = std::move(*signature);
    out.package.entries.push_back(std::move(entry));
    out.package.rotations = std::move(*rotations);
    return out;
}

Result<Package> build_package(std::span<const std::uint8_t> image, const BuildRequest& request,
                              const Signer& signer) {
    auto built = build(image, request, signer);
    if (!built) return std::move(built).error();
    return std::move(built->package);
}

Result<Bytes> decode_image(const Entry& entry, std::size_t payload_index, std::span<const std::uint8_t> base,
                           std::uint32_t memory_bytes_max) {
    const Manifest& manifest = entry.manifest;
    const PayloadEntry& listed = manifest.payloads[payload_index];
    const auto mismatch = [&](std::string_view what) {
        return Error{ErrorCode::payload_mismatch,
                     "the " + std::string(to_string(listed.kind)) + " payload for " +
                         std::string(manifest.hardware.view()) + " " + std::string(what),
                     "the package was built wrongly; build it again", 0};
    };
    if (listed.base_size_bytes != 0 && base.empty())
        return Error{ErrorCode::no_fitting_payload,
                     "the payload is a delta from the image of " + std::to_string(listed.base_size_bytes) +
                         " bytes with SHA-256 " + to_hex(listed.base_sha256),
                     "give that image: --base OLD.bin", 0};
    if (listed.base_size_bytes != 0 && sha256(base) != listed.base_sha256)
        return Error{
            ErrorCode::payload_mismatch,
            "the delta is from image " + to_hex(listed.base_sha256) + ", given is " + to_hex(sha256(base)),
            "give the image it was made from", 0};
    if (manifest.image_size_bytes > kImageBytesMax)
        return Error{ErrorCode::image_too_large,
                     "the manifest announces an image of " + std::to_string(manifest.image_size_bytes) +
                         " bytes, at most " + std::to_string(kImageBytesMax) + " are possible",
                     "build the package again", 0};
    MemorySource source(entry.payloads[payload_index]);
    const std::uint32_t memory = payload_memory_bytes(listed.kind, source, manifest.image_size_bytes);
    if (memory == 0) return mismatch("has a header that makes no sense");
    if (memory > listed.memory_bytes)
        return mismatch("needs " + std::to_string(memory) + " bytes of memory, its manifest says " +
                        std::to_string(listed.memory_bytes));
    if (memory > memory_bytes_max)
        return Error{ErrorCode::memory_budget_exceeded,
                     "decoding needs " + std::to_string(memory) + " bytes of memory, " +
                         std::to_string(memory_bytes_max) + " are allowed",
                     "build the package with a smaller dictionary", 0};
    Bytes work(memory);
    Bytes image(manifest.image_size_bytes);
    MemorySink sink(image);
    MemorySource old(base);
    const Status status = decode_payload(listed.kind, source, listed.base_size_bytes == 0 ? nullptr : &old,
                                         manifest.image_size_bytes, work, sink);
    if (status != Status::ok) return mismatch("does not decode: " + std::string(summary(status)));
    const Sha256Digest digest = sha256(image);
    if (sink.missing() != 0 || digest != manifest.image_sha256)
        return mismatch("decodes to image " + to_hex(digest) + ", signed is " +
                        to_hex(manifest.image_sha256));
    return image;
}

}  // namespace mcuota::package
