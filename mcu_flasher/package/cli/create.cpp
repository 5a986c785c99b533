// mcuota-pack create: a signed package from an image.

#include <iostream>

#include "mcu_flasher/base/file.hpp"
#include "mcu_flasher/base/hex.hpp"
#include "mcu_flasher/package/builder.hpp"
#include "mcu_flasher/package/cli/commands.hpp"
#include "mcu_flasher/package/cli/output.hpp"
#include "mcu_loader/core/little_endian.hpp"

namespace mcuota::pack {
namespace {

/// Remarks on images that will hardly run. Only remarks: the tool cannot know every linker script.
void remark_on(const package::Bytes& image, std::uint32_t load_address) {
    constexpr std::uint8_t kElf[] = {0x7F, 'E', 'L', 'F'};
    if (image.size() >= 4 && std::equal(std::begin(kElf), std::end(kElf), image.begin())) {
        remark(
            "the image is an ELF file; devices run the binary: arm-none-eabi-objcopy -O binary IN.elf "
            "OUT.bin");
        return;
    }
    if (image.size() < 8) return;
    const std::uint32_t reset = load_u32(&image[4]) & ~1U;
    if (reset < load_address || reset - load_address >= image.size())
        remark(
            "the image's reset vector points outside the image; it is linked for another address or not "
            "a Cortex-M image, and a device will go back to its old image");
}

}  // namespace

Result<void> create(const CreateOptions& options) {
    auto signer = package::KeySigner::from_file(options.key);
    if (!signer) return std::move(signer).error();
    auto image = read_file(options.image, package::kImageBytesMax, ErrorCode::image_too_large);
    if (!image) return std::move(image).error();
    remark_on(*image, options.load_address);

    package::BuildRequest request;
    request.hardware = options.hardware;
    request.version = options.version;
    request.security_counter = options.security_counter;
    request.load_address = options.load_address;
    request.allow_derived = options.allow_derived;
    Result<package::Package> built = [&] {
        ProgressBar bar("encoding");
        request.progress = [&bar](std::size_t done, std::size_t total) { bar.show(done, total); };
        return package::build_package(*image, request, **signer);
    }();
    if (!built) return std::move(built).error();
    const auto bytes = package::serialize(*built);
    if (!bytes) return bytes.error();
    if (auto written = write_file(options.out, *bytes); !written) return written;

    const Manifest& manifest = built->entries[0].manifest;
    const PayloadEntry& payload = manifest.payloads[0];
    if (options.json) {
        print_json(
            {{"file", options.out},
             {"bytes", bytes->size()},
             {"hardware", manifest.hardware.view()},
             {"version", manifest.version.view()},
             {"security_counter", manifest.security_counter},
             {"image_bytes", manifest.image_size_bytes},
             {"image_sha256", to_hex(manifest.image_sha256)},
             {"payload", {{"kind", package::to_string(payload.kind)}, {"bytes", payload.size_bytes}}}});
        return {};
    }
    std::cout << options.out << ": " << manifest.hardware.view() << ' ' << manifest.version.view()
              << ", image " << manifest.image_size_bytes << " bytes, " << package::to_string(payload.kind)
              << ' ' << payload.size_bytes << " bytes ("
              << percent_text(payload.size_bytes, manifest.image_size_bytes) << "), signed with "
              << to_hex(manifest.key_id) << '\n';
    return {};
}

}  // namespace mcuota::pack
