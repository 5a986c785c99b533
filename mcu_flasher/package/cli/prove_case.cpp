// Throw-away keys, the loader's key table, signed envelopes and key rotations.

#include "mcu_flasher/package/cli/prove_case.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "mcu_flasher/base/file.hpp"
#include "mcu_flasher/package/builder.hpp"
#include "mcu_flasher/package/envelope.hpp"
#include "mcu_flasher/package/rotation_file.hpp"
#include "mcu_loader/core/sha256.hpp"

namespace mcuota::pack {
namespace {

using package::Bytes;

// mcu_loader/port/stm32f429/loader_info.hpp: "MCLI", 28 more bytes, then the keys: "MCLK", current and next.
constexpr std::string_view kInfoMagic = "MCLI", kKeysMagic = "MCLK";
constexpr std::size_t kInfoBytes = 32, kKeyBytes = 268, kKeyAt = 4, kIdAt = 4, kPointAt = 12;
constexpr std::size_t kNextImageBytes = 1024;
constexpr std::uint32_t kRamTop = 0x2001'0000;

std::size_t find_keys(std::span<const std::uint8_t> loader) {
    const auto at = [&](std::size_t offset, std::string_view text) {
        return std::equal(text.begin(), text.end(), loader.begin() + static_cast<std::ptrdiff_t>(offset),
                          [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; });
    };
    for (std::size_t offset = 0; offset + kInfoBytes + kKeyAt + 2 * kKeyBytes <= loader.size(); offset += 4)
        if (at(offset, kInfoMagic) && at(offset + kInfoBytes, kKeysMagic)) return offset + kInfoBytes;
    return 0;
}

/// Keys of the proof: built in as current and next, and three that come by rotation.
using Keys = std::vector<package::OpensslKey>;
constexpr std::size_t kRotations = 3, kKeys = kRotations + 2;

Result<void> trust(Bytes& loader, const Keys& keys) {
    const std::size_t table = find_keys(loader);
    if (table == 0)
        return Error{ErrorCode::usage, "the loader image has no table of keys",
                     "use a loader of this project, built for the STM32F429", 0};
    for (std::size_t position = 0; position < 2; ++position) {
        const auto point = keys[position].loader_bytes();
        if (!point) return point.error();
        std::uint8_t* const at = loader.data() + table + kKeyAt + position * kKeyBytes;
        std::fill_n(at, kKeyBytes, std::uint8_t{0});
        at[0] = static_cast<std::uint8_t>(keys[position].algorithm());
        std::copy(keys[position].id().begin(), keys[position].id().end(), at + kIdAt);
        std::copy(point->begin(), point->end(), at + kPointAt);
    }
    return {};
}

bool contains(std::span<const std::uint8_t> loader, std::string_view text) {
    return std::search(loader.begin(), loader.end(), text.begin(), text.end(), [](std::uint8_t a, char b) {
               return a == static_cast<std::uint8_t>(b);
           }) != loader.end();
}

/// The same promise of an image, but the one payload decodes to another: it has lost a bit.
package::Entry wrong_entry(const package::Entry& entry, const Bytes& image) {
    package::Entry out = entry;
    out.payloads = {image};
    out.payloads[0][image.size() / 2] ^= 0x40U;
    out.manifest.payload_count = 1;
    out.manifest.payloads[0] = {};
    out.manifest.payloads[0].size_bytes = static_cast<std::uint32_t>(image.size());
    out.manifest.payloads[0].sha256 = sha256(out.payloads[0]);
    return out;
}

/// The package's own manifest, with the key of the proof and the loader's hardware, signed again.
Result<package::Entry> sign_again(const package::Entry& entry, std::string_view hardware,
                                  const package::OpensslKey& key) {
    package::Entry out = entry;
    out.manifest.algorithm = key.algorithm();
    out.manifest.key_id = key.id();
    out.manifest.hardware = {};
    std::copy(hardware.begin(), hardware.end(), out.manifest.hardware.bytes.begin());
    out.manifest.hardware.length = static_cast<std::uint8_t>(hardware.size());
    out.manifest_bytes.resize(kManifestBytesMax);
    const std::size_t size = encode_manifest(out.manifest, out.manifest_bytes);
    if (size == 0)
        return Error{ErrorCode::package_malformed, "the package's manifest cannot be written again",
                     "make the package again with this mcuota-pack", 0};
    out.manifest_bytes.resize(size);
    auto signature = key.sign(out.manifest_bytes);
    if (!signature) return signature.error();
    out.signature = std::move(*signature);
    return out;
}

/// A third application, for the job after the proof's: start vectors and numbers.
Bytes next_image(std::uint32_t load_address) {
    Bytes image(kNextImageBytes);
    for (std::size_t i = 0; i < image.size(); ++i)
        image[i] = static_cast<std::uint8_t>(i * 167 + i / 256);
    const std::array<std::uint32_t, 2> vectors{kRamTop, load_address + 0x101};
    std::memcpy(image.data(), vectors.data(), sizeof vectors);
    return image;
}

Result<Bytes> full_envelope(const Bytes& image, const Manifest& like, std::string_view hardware,
                            std::string version, const package::Signer& signer) {
    package::BuildRequest request;
    request.hardware = hardware;
    request.version = std::move(version);
    request.security_counter = like.security_counter;
    request.load_address = like.load_address;
    const auto built = package::build_package(image, request, signer);
    if (!built) return built.error();
    return package::make_envelope(built->entries[0], 0).bytes;
}

using File = std::pair<std::string, Bytes>;

/// Three rotations, and what is signed by the keys that are current after two and after all of them.
Result<std::vector<File>> rotated(const ProveCase& what, const Bytes& next, std::string_view hardware,
                                  Keys& keys) {
    std::vector<File> out;
    for (std::size_t generation = 1; generation <= kRotations; ++generation) {
        const std::string prefix = generation == 2 ? "rotated-" : "rotated-again-";
        if (generation > 1) {
            const auto fresh = sign_again(*what.entry, hardware, keys[generation]);
            if (!fresh) return fresh.error();
            out.emplace_back(prefix + "new.mce", package::make_envelope(*fresh, what.payload_index).bytes);
        }
        const package::KeySigner signer(std::move(keys[generation]));
        auto record =
            package::make_rotation(static_cast<std::uint16_t>(generation), keys[generation + 1], signer);
        if (!record) return record.error();
        out.emplace_back("rotation-" + std::to_string(generation) + ".mcuk", std::move(*record));
        if (generation == 1) continue;
        auto envelope = full_envelope(next, what.entry->manifest, hardware, "next", signer);
        if (!envelope) return envelope.error();
        out.emplace_back(prefix + "next.mce", std::move(*envelope));
        if (generation != 2) continue;
        auto base = full_envelope(what.base, what.entry->manifest, hardware, "base", signer);
        if (!base) return base.error();
        out.emplace_back(prefix + "old.mce", std::move(*base));
    }
    return out;
}

}  // namespace

Result<ProveFiles> write_case(const ProveCase& what, const std::filesystem::path& folder) {
    Keys keys;
    while (keys.size() < kKeys) {
        auto key = package::OpensslKey::generate(SignatureAlgorithm::ecdsa_p256_sha256);
        if (!key) return std::move(key).error();
        keys.push_back(std::move(*key));
    }
    Bytes loader = what.loader;
    if (auto done = trust(loader, keys); !done) return done.error();
    const Manifest& manifest = what.entry->manifest;
    ProveFiles files;
    files.hardware = manifest.hardware.view();
    files.hardware_changed = !contains(loader, files.hardware);
    if (files.hardware_changed) files.hardware = kShippedHardware;
    const auto fresh = sign_again(*what.entry, files.hardware, keys[0]);
    if (!fresh) return fresh.error();
    const Bytes fresh_envelope = package::make_envelope(*fresh, what.payload_index).bytes;
    const auto wrong = sign_again(wrong_entry(*what.entry, what.image), files.hardware, keys[0]);
    if (!wrong) return wrong.error();
    const Bytes wrong_envelope = package::make_envelope(*wrong, 0).bytes;
    const package::KeySigner signer(std::move(keys[0]));
    const Bytes next = next_image(manifest.load_address);
    const auto old_envelope = full_envelope(what.base, manifest, files.hardware, "base", signer);
    if (!old_envelope) return old_envelope.error();
    const auto next_envelope = full_envelope(next, manifest, files.hardware, "next", signer);
    if (!next_envelope) return next_envelope.error();

    files.loader = folder / "loader";
    auto all = rotated(what, next, files.hardware, keys);
    if (!all) return all.error();
    all->insert(all->end(), {{"loader", loader},
                             {"old.bin", what.base},
                             {"new.bin", what.image},
                             {"next.bin", next},
                             {"old.mce", *old_envelope},
                             {"new.mce", fresh_envelope},
                             {"next.mce", *next_envelope},
                             {"wrong.mce", wrong_envelope}});
    for (const auto& [name, bytes] : *all)
        if (auto written = write_file(folder / name, bytes); !written) return written.error();
    return files;
}

}  // namespace mcuota::pack
