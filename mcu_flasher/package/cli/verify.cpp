// mcuota-pack verify: signature by a given key, and payloads decoded to the signed image.

#include <algorithm>
#include <boost/json/array.hpp>
#include <iostream>

#include "mcu_flasher/base/hex.hpp"
#include "mcu_flasher/package/artifact.hpp"
#include "mcu_flasher/package/builder.hpp"
#include "mcu_flasher/package/cli/commands.hpp"
#include "mcu_flasher/package/cli/files.hpp"
#include "mcu_flasher/package/cli/foreign.hpp"
#include "mcu_flasher/package/cli/output.hpp"
#include "mcu_flasher/package/rotation_file.hpp"

namespace mcuota::pack {
namespace {

/// How far an entry is proven.
struct Proven {
    std::size_t decoded{0};   ///< payloads decoded to the signed image
    std::size_t unproven{0};  ///< deltas whose base was not given
};

Result<Proven> decode_all(const package::Entry& entry, const std::vector<BaseFile>& bases) {
    Proven out;
    for (std::size_t i = 0; i < entry.manifest.payload_count; ++i) {
        const PayloadEntry& payload = entry.manifest.payloads[i];
        std::span<const std::uint8_t> base;
        if (payload.base_size_bytes != 0) {
            const auto found = std::find_if(bases.begin(), bases.end(), [&](const BaseFile& candidate) {
                return sha256(candidate.image) == payload.base_sha256;
            });
            if (found == bases.end()) {
                ++out.unproven;
                continue;
            }
            base = found->image;
        }
        if (auto image = package::decode_image(entry, i, base); !image) return std::move(image).error();
        ++out.decoded;
    }
    return out;
}

/// Whether the records follow from each other, and whether the first is signed by a trusted key.
Result<bool> rotations_anchored(const package::Package& package, const package::Keyring& keys) {
    if (package.rotations.empty()) return true;
    if (auto chain = package::chain_of(package.rotations); !chain) return std::move(chain).error();
    const auto anchored = keys.verify_rotation(package.rotations.front());
    if (anchored) return true;
    if (anchored.error().code == ErrorCode::key_unknown) return false;
    return anchored.error();
}

std::string count(std::size_t number, std::string_view noun) {
    return std::to_string(number) + " " + std::string(noun) + (number == 1 ? "" : "s");
}

}  // namespace

Result<void> verify(const VerifyOptions& options) {
    package::Keyring keys;
    for (const std::string& file : options.pubkeys)
        if (auto added = keys.add_file(file); !added) return added;
    const auto bases = read_bases(options.bases);
    if (!bases) return bases.error();
    const auto artifact = package::read_artifact(options.file);
    if (!artifact) return artifact.error();
    if (auto liteos = verify_liteos(options, artifact->package)) return std::move(*liteos);
    const auto package = package::parse(artifact->package);
    if (!package) return Error(package.error()).while_doing("reading " + options.file);

    const auto anchored = rotations_anchored(*package, keys);
    if (!anchored) return anchored.error();

    boost::json::array entries;
    std::string text;
    for (const package::Entry& entry : package->entries) {
        if (auto good = keys.verify(entry); !good) return good;
        const auto proven = decode_all(entry, *bases);
        if (!proven) return proven.error();
        entries.push_back({{"hardware", entry.manifest.hardware.view()},
                           {"version", entry.manifest.version.view()},
                           {"security_counter", entry.manifest.security_counter},
                           {"image_sha256", to_hex(entry.manifest.image_sha256)},
                           {"key_id", to_hex(entry.manifest.key_id)},
                           {"payloads_decoded", proven->decoded},
                           {"deltas_without_base", proven->unproven}});
        text += options.file + ": " + std::string(entry.manifest.hardware.view()) + ' ' +
                std::string(entry.manifest.version.view()) + " is signed by key " +
                to_hex(entry.manifest.key_id);
        if (proven->decoded != 0)
            text += ", " + count(proven->decoded, "payload") +
                    (proven->decoded == 1 ? " decodes" : " decode") + " to the signed image";
        if (proven->unproven != 0)
            text += "; to decode " + count(proven->unproven, "delta") + ", give the base: --base OLD.bin";
        text += '\n';
    }
    if (!package->rotations.empty())
        text += options.file + ": " + count(package->rotations.size(), "key rotation") +
                (package->rotations.size() == 1 ? " is" : " are") + " signed one by the other" +
                (*anchored ? ", the first by a key given\n"
                           : "; the key that signs the first was not given (--pubkey)\n");
    // Nothing is told before everything is proven.
    if (options.json)
        print_json(
            {{"file", options.file},
             {"verified", true},
             {"entries", std::move(entries)},
             {"rotations", {{"count", package->rotations.size()}, {"first_by_given_key", *anchored}}}});
    else
        std::cout << text;
    return {};
}

}  // namespace mcuota::pack
