// mcuota-pack verify: signature by a given key, and full payloads decoded to the signed image.

#include <boost/json/array.hpp>
#include <iostream>

#include "mcu_flasher/base/hex.hpp"
#include "mcu_flasher/package/builder.hpp"
#include "mcu_flasher/package/cli/commands.hpp"
#include "mcu_flasher/package/cli/output.hpp"

namespace mcuota::pack {

Result<void> verify(const VerifyOptions& options) {
    package::Keyring keys;
    for (const std::string& file : options.pubkeys)
        if (auto added = keys.add_file(file); !added) return added;
    const auto package = package::read(options.file);
    if (!package) return package.error();

    boost::json::array entries;
    for (const package::Entry& entry : package->entries) {
        if (auto good = keys.verify(entry); !good) return good;
        for (std::size_t i = 0; i < entry.manifest.payload_count; ++i) {
            if (entry.manifest.payloads[i].base_size_bytes != 0) continue;  // a delta needs its base
            if (auto image = package::decode_image(entry, i); !image) return std::move(image).error();
        }
        entries.push_back({{"hardware", entry.manifest.hardware.view()},
                           {"version", entry.manifest.version.view()},
                           {"security_counter", entry.manifest.security_counter},
                           {"image_sha256", to_hex(entry.manifest.image_sha256)},
                           {"key_id", to_hex(entry.manifest.key_id)}});
        if (!options.json)
            std::cout << options.file << ": " << entry.manifest.hardware.view() << ' '
                      << entry.manifest.version.view() << " is signed by key "
                      << to_hex(entry.manifest.key_id) << " and decodes to the signed image\n";
    }
    if (options.json)
        print_json({{"file", options.file}, {"verified", true}, {"entries", std::move(entries)}});
    return {};
}

}  // namespace mcuota::pack
