// Manifest, payload, signature: a package from an image.

#include "mcu_flasher/package/builder.hpp"

#include <algorithm>

#include "mcu_flasher/base/hex.hpp"
#include "mcu_flasher/base/status_text.hpp"
#include "mcu_flasher/package/memory_bytes.hpp"

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
    return out;
}

}  // namespace

Result<Package> build_package(std::span<const std::uint8_t> image, const BuildRequest& request,
                              const Signer& signer) {
    auto manifest = describe(image, request, signer);
    if (!manifest) return std::move(manifest).error();
    auto payload = encode_full(image, request.memory_bytes_max, request.progress);
    if (!payload) return std::move(payload).error();

    Entry entry;
    entry.manifest = *manifest;
    entry.manifest.payload_count = 1;
    entry.manifest.payloads[0] = {payload->kind,
                                  static_cast<std::uint32_t>(payload->bytes.size()),
                                  sha256(payload->bytes),
                                  0,
                                  {},
                                  payload->memory_bytes};
    entry.payloads.push_back(std::move(payload->bytes));
    // Proven before it is signed: what the loader will decode is the image.
    if (auto decoded = decode_image(entry, 0); !decoded)
        return std::move(decoded).error().while_doing("proving the new payload");

    entry.manifest_bytes.resize(kManifestBytesMax);
    const std::size_t size = encode_manifest(entry.manifest, entry.manifest_bytes);
    if (size == 0) return Error{ErrorCode::internal, "the manifest cannot be expressed", "", 0};
    entry.manifest_bytes.resize(size);
    auto signature = signer.sign(entry.manifest_bytes);
    if (!signature) return std::move(signature).error();
    entry.signature = std::move(*signature);
    Package out;
    out.entries.push_back(std::move(entry));
    return out;
}

Result<Bytes> decode_image(const Entry& entry, std::size_t payload_index, std::uint32_t memory_bytes_max) {
    const Manifest& manifest = entry.manifest;
    const PayloadEntry& listed = manifest.payloads[payload_index];
    const auto mismatch = [&](std::string_view what) {
        return Error{ErrorCode::payload_mismatch,
                     "the " + std::string(to_string(listed.kind)) + " payload for " +
                         std::string(manifest.hardware.view()) + " " + std::string(what),
                     "the package was built wrongly; build it again", 0};
    };
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
    const Status status = decode_payload(listed.kind, source, nullptr, manifest.image_size_bytes, work, sink);
    if (status != Status::ok) return mismatch("does not decode: " + std::string(summary(status)));
    const Sha256Digest digest = sha256(image);
    if (sink.missing() != 0 || digest != manifest.image_sha256)
        return mismatch("decodes to image " + to_hex(digest) + ", signed is " +
                        to_hex(manifest.image_sha256));
    return image;
}

}  // namespace mcuota::package
