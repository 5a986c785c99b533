// mcuota-pack create: a signed package from an image, with deltas from the images devices may run now.

#include <boost/json/array.hpp>
#include <iomanip>
#include <iostream>

#include "mcu_flasher/base/file.hpp"
#include "mcu_flasher/base/hex.hpp"
#include "mcu_flasher/package/builder.hpp"
#include "mcu_flasher/package/cli/commands.hpp"
#include "mcu_flasher/package/cli/files.hpp"
#include "mcu_flasher/package/cli/output.hpp"
#include "mcu_flasher/package/load_address.hpp"

namespace mcuota::pack {
namespace {

/// Remarks on images that will hardly run. Only remarks: the tool cannot know every linker script.
void remark_on(const package::Bytes& image, const package::LoadAddress& load) {
    constexpr std::uint8_t kElf[] = {0x7F, 'E', 'L', 'F'};
    if (image.size() >= 4 && std::equal(std::begin(kElf), std::end(kElf), image.begin())) {
        remark(
            "the image is an ELF file; devices run the binary: arm-none-eabi-objcopy -O binary IN.elf "
            "OUT.bin");
        return;
    }
    if (image.size() < 8 || package::reset_vector_fits(image, load.address)) return;
    remark("the image's reset vector points outside the image at " + address_text(load.address) +
           "; it is linked for another address (--load-address) or not a Cortex-M image, and a device will "
           "go back to its old image");
}

Result<std::vector<delta::Format>> formats_of(const std::vector<std::string>& names) {
    if (names.empty()) return package::kDeltaFormats;
    std::vector<delta::Format> out;
    for (const std::string& name : names) {
        const auto format = delta::format_from_string(name);
        if (!format)
            return Error{ErrorCode::usage, "no delta format \"" + name + "\"",
                         "known are mcuota, hdiffsf20 and hdiff13", 0};
        out.push_back(*format);
    }
    return out;
}

package::LoadAddress address_of(const CreateOptions& options, const package::Bytes& image) {
    if (options.load_address) return {*options.load_address, package::AddressSource::given};
    return package::find_load_address(image, package::kLoadAddressDefault);
}

/// One listed payload, or a base that got none.
struct Line {
    const PayloadEntry* payload;       ///< null when left out
    const package::BaseOutcome* base;  ///< null for the full image
};

std::vector<Line> lines_of(const package::Built& built) {
    const Manifest& manifest = built.package.entries[0].manifest;
    std::vector<Line> out;
    std::size_t next = 0;
    if (manifest.payloads[0].base_size_bytes == 0) out.push_back({&manifest.payloads[next++], nullptr});
    for (const package::BaseOutcome& base : built.bases)
        out.push_back({base.left_out.empty() ? &manifest.payloads[next++] : nullptr, &base});
    return out;
}

boost::json::object base_json(const package::BaseOutcome& base) {
    return {{"name", base.name}, {"bytes", base.base_bytes}, {"sha256", to_hex(base.base_sha256)}};
}

void print_as_json(const CreateOptions& options, const package::Built& built, std::size_t file_bytes,
                   const package::LoadAddress& load) {
    const Manifest& manifest = built.package.entries[0].manifest;
    boost::json::array payloads, left_out;
    for (const Line& line : lines_of(built)) {
        if (line.payload == nullptr) {
            left_out.push_back({{"base", base_json(*line.base)}, {"reason", line.base->left_out}});
            continue;
        }
        boost::json::object payload{{"kind", package::to_string(line.payload->kind)},
                                    {"bytes", line.payload->size_bytes},
                                    {"memory_bytes", line.payload->memory_bytes},
                                    {"base", nullptr}};
        if (line.base != nullptr) payload["base"] = base_json(*line.base);
        payloads.push_back(std::move(payload));
    }
    const PayloadEntry& first = manifest.payloads[0];
    print_json({{"file", options.out},
                {"bytes", file_bytes},
                {"hardware", manifest.hardware.view()},
                {"version", manifest.version.view()},
                {"security_counter", manifest.security_counter},
                {"image_bytes", manifest.image_size_bytes},
                {"image_sha256", to_hex(manifest.image_sha256)},
                {"load_address", address_text(load.address)},
                {"load_address_source", package::to_string(load.source)},
                {"key_id", to_hex(manifest.key_id)},
                {"payload", {{"kind", package::to_string(first.kind)}, {"bytes", first.size_bytes}}},
                {"payloads", std::move(payloads)},
                {"left_out", std::move(left_out)}});
}

void print_for_people(const CreateOptions& options, const package::Built& built, std::size_t file_bytes,
                      const package::LoadAddress& load) {
    const Manifest& manifest = built.package.entries[0].manifest;
    std::cout << options.out << ": " << file_bytes << " bytes, " << manifest.hardware.view() << ' '
              << manifest.version.view() << ", image " << manifest.image_size_bytes << " bytes at "
              << address_text(load.address) << " (" << package::to_string(load.source) << "), signed with "
              << to_hex(manifest.key_id) << '\n';
    for (const Line& line : lines_of(built)) {
        if (line.payload == nullptr) {
            std::cout << "  left out   " << line.base->name << ": " << line.base->left_out << '\n';
            continue;
        }
        std::cout << "  " << std::left << std::setw(10) << package::to_string(line.payload->kind)
                  << std::right << std::setw(9) << line.payload->size_bytes << " bytes, ";
        if (line.base == nullptr)
            std::cout << percent_text(line.payload->size_bytes, manifest.image_size_bytes)
                      << " of the image\n";
        else
            std::cout << percent_text(line.payload->size_bytes, static_cast<double>(built.full.bytes.size()))
                      << " of the full payload, from " << line.base->name << '\n';
    }
}

}  // namespace

Result<void> create(const CreateOptions& options) {
    auto signer = signer_of(options.signing);
    if (!signer) return std::move(signer).error();
    const auto image = read_file(options.image, package::kImageBytesMax, ErrorCode::image_too_large);
    if (!image) return image.error();
    const auto bases = read_bases(options.bases);
    if (!bases) return bases.error();
    const auto formats = formats_of(options.formats);
    if (!formats) return formats.error();
    auto rotations = read_rotations(options.rotations);
    if (!rotations) return std::move(rotations).error();
    const package::LoadAddress load = address_of(options, *image);
    remark_on(*image, load);

    package::BuildRequest request;
    request.hardware = options.hardware;
    request.version = options.version;
    request.security_counter = options.security_counter;
    request.load_address = load.address;
    if (load.source != package::AddressSource::assumed) request.delta_load_address = load.address;
    request.allow_derived = options.allow_derived;
    request.downgrade_floor_max = options.downgrade_from.value_or(0);
    request.required = options.required;
    request.rotations = std::move(*rotations);
    request.full = !options.no_full;
    request.delta_formats = *formats;
    for (const BaseFile& base : *bases)
        request.bases.push_back({base.image, base.name()});
    Result<package::Built> built = [&] {
        ProgressBar full("encoding the image"), deltas("encoding deltas");
        request.progress = [&full](std::size_t done, std::size_t total) { full.show(done, total); };
        request.delta_progress = [&deltas](std::size_t done, std::size_t total) { deltas.show(done, total); };
        return package::build(*image, request, **signer);
    }();
    if (!built) return std::move(built).error();
    const auto bytes = package::serialize(built->package);
    if (!bytes) return bytes.error();
    if (auto written = write_result(options.out, *bytes); !written) return written;

    if (options.json)
        print_as_json(options, *built, bytes->size(), load);
    else
        print_for_people(options, *built, bytes->size(), load);
    return {};
}

}  // namespace mcuota::pack
