// mcuota-pack diff and patch: bare deltas of any pair of files.

#include <iostream>

#include "mcu_flasher/base/file.hpp"
#include "mcu_flasher/base/hex.hpp"
#include "mcu_flasher/package/cli/commands.hpp"
#include "mcu_flasher/package/cli/files.hpp"
#include "mcu_flasher/package/cli/output.hpp"
#include "mcu_flasher/package/delta/delta.hpp"
#include "mcu_flasher/package/liteos_package.hpp"
#include "mcu_loader/core/sha256.hpp"

namespace mcuota::pack {
namespace {

/// A delta's own head and, for hopeless pairs, a little more than the image itself.
constexpr std::uint64_t kDeltaBytesMax = std::uint64_t{delta::kImageBytesMax} * 2;

/// The original scheme's package, signed when there is a key.
Result<package::Bytes> with_prefix(const package::Bytes& hdiff13, bool differential, const std::string& key) {
    package::Bytes out = package::make_liteos(hdiff13, differential);
    if (key.empty()) return out;
    const auto signer = package::KeySigner::from_file(key);
    if (!signer) return signer.error();
    if ((*signer)->algorithm() != SignatureAlgorithm::rsa_2048_pkcs1_sha256)
        return Error{ErrorCode::usage, "the original scheme knows RSA-2048 signatures only",
                     "give an RSA key: mcuota-pack keygen --type rsa-2048", 0};
    const auto signature = (*signer)->sign(out);
    if (!signature) return signature.error();
    out.insert(out.begin(), signature->begin(), signature->end());
    return out;
}

}  // namespace

Result<void> diff(const DiffOptions& options) {
    const auto format = delta::format_from_string(options.format);
    if (!format)
        return Error{ErrorCode::usage, "no delta format \"" + options.format + "\"",
                     "known are mcuota, hdiffsf20 and hdiff13", 0};
    if (options.prefix && *format != delta::Format::hdiff13)
        return Error{ErrorCode::usage, "only hdiff13 deltas go behind the original scheme's prefix",
                     "add --format hdiff13", 0};
    const auto old_image = read_file(options.old_file, delta::kImageBytesMax, ErrorCode::image_too_large);
    if (!old_image) return old_image.error();
    const auto new_image = read_file(options.new_file, delta::kImageBytesMax, ErrorCode::image_too_large);
    if (!new_image) return new_image.error();
    const delta::EncodeOptions how{options.load_address, options.memory_bytes};
    auto made = delta::encode(*format, *old_image, *new_image, how);
    if (!made) return std::move(made).error();
    if (options.prefix) {
        auto whole = with_prefix(made->bytes, !old_image->empty(), options.key);
        if (!whole) return std::move(whole).error();
        made->bytes = std::move(*whole);
    }
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
    // The original scheme's prefix is looked through: mcuota-pack verify proves its signature.
    const auto liteos = package::recognise_liteos(*bytes);
    const std::span<const std::uint8_t> bare = liteos ? liteos->delta : std::span<const std::uint8_t>(*bytes);
    auto image = delta::decode(*old_image, bare, 2 * delta::kImageBytesMax);
    if (!image) return std::move(image).error().while_doing("applying " + options.delta);
    if (auto written = write_result(options.out, *image); !written) return written;

    const auto format = delta::recognise(bare);
    const std::string_view name = format ? delta::to_string(*format) : "";
    if (options.json) {
        print_json({{"file", options.out},
                    {"format", name},
                    {"prefix", liteos.has_value()},
                    {"bytes", image->size()},
                    {"sha256", to_hex(sha256(*image))}});
        return {};
    }
    std::cout << options.out << ": " << image->size() << " bytes from the " << name << " delta, SHA-256 "
              << to_hex(sha256(*image)) << '\n';
    return {};
}

}  // namespace mcuota::pack
