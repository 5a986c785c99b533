// mcuota-pack diff and patch: bare deltas of any pair of files.

#include <iostream>

#include "mcu_flasher/base/file.hpp"
#include "mcu_flasher/base/hex.hpp"
#include "mcu_flasher/package/cli/commands.hpp"
#include "mcu_flasher/package/cli/files.hpp"
#include "mcu_flasher/package/cli/output.hpp"
#include "mcu_flasher/package/delta/delta.hpp"
#include "mcu_loader/core/sha256.hpp"

namespace mcuota::pack {
namespace {

/// A delta's own head and, for hopeless pairs, a little more than the image itself.
constexpr std::uint64_t kDeltaBytesMax = std::uint64_t{delta::kImageBytesMax} * 2;

}  // namespace

Result<void> diff(const DiffOptions& options) {
    const auto format = delta::format_from_string(options.format);
    if (!format)
        return Error{ErrorCode::usage, "no delta format \"" + options.format + "\"",
                     "known are mcuota, hdiffsf20 and hdiff13", 0};
    const auto old_image = read_file(options.old_file, delta::kImageBytesMax, ErrorCode::image_too_large);
    if (!old_image) return old_image.error();
    const auto new_image = read_file(options.new_file, delta::kImageBytesMax, ErrorCode::image_too_large);
    if (!new_image) return new_image.error();
    const delta::EncodeOptions how{options.load_address, options.memory_bytes};
    const auto made = delta::encode(*format, *old_image, *new_image, how);
    if (!made) return made.error();
    if (auto written = write_result(options.out, made->bytes); !written) return written;

    if (options.json) {
        print_json({{"file", options.out},
                    {"format", options.format},
                    {"bytes", made->bytes.size()},
                    {"old_bytes", old_image->size()},
                    {"new_bytes", new_image->size()},
                    {"memory_bytes", made->memory_bytes}});
        return {};
    }
    std::cout << options.out << ": " << options.format << ", " << made->bytes.size() << " bytes, "
              << percent_text(static_cast<double>(made->bytes.size()), static_cast<double>(new_image->size()))
              << " of " << options.new_file << "; decoding takes " << made->memory_bytes
              << " bytes of memory\n";
    return {};
}

Result<void> patch(const PatchOptions& options) {
    const auto old_image = read_file(options.old_file, delta::kImageBytesMax, ErrorCode::image_too_large);
    if (!old_image) return old_image.error();
    const auto bytes = read_file(options.delta, kDeltaBytesMax, ErrorCode::image_too_large);
    if (!bytes) return bytes.error();
    auto image = delta::decode(*old_image, *bytes, 2 * delta::kImageBytesMax);
    if (!image) return std::move(image).error().while_doing("applying " + options.delta);
    if (auto written = write_result(options.out, *image); !written) return written;

    const auto format = delta::recognise(*bytes);
    const std::string_view name = format ? delta::to_string(*format) : "";
    if (options.json) {
        print_json({{"file", options.out},
                    {"format", name},
                    {"bytes", image->size()},
                    {"sha256", to_hex(sha256(*image))}});
        return {};
    }
    std::cout << options.out << ": " << image->size() << " bytes from the " << name << " delta, SHA-256 "
              << to_hex(sha256(*image)) << '\n';
    return {};
}

}  // namespace mcuota::pack
