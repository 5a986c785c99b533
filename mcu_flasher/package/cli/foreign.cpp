// mcuota-pack inspect and verify for files of other schemes.

#include "mcu_flasher/package/cli/foreign.hpp"

#include <boost/json/array.hpp>
#include <cstdio>
#include <iostream>

#include "mcu_flasher/base/file.hpp"
#include "mcu_flasher/base/hex.hpp"
#include "mcu_flasher/package/alios_package.hpp"
#include "mcu_flasher/package/cli/output.hpp"
#include "mcu_flasher/package/delta_head.hpp"
#include "mcu_flasher/package/liteos_package.hpp"
#include "mcu_flasher/package/openssl_key.hpp"

namespace mcuota::pack {
namespace {

using View = std::span<const std::uint8_t>;

Error damaged(const std::string& file) {
    return {ErrorCode::payload_mismatch, file + " is damaged: its sizes or sums do not fit",
            "fetch or build it again", 0};
}

boost::json::object delta_json(const package::DeltaHead& head, View delta) {
    return {{"format", delta::to_string(head.format)},
            {"bytes", delta.size()},
            {"old_bytes", head.old_bytes},
            {"new_bytes", head.new_bytes},
            {"memory_bytes", head.memory_bytes},
            {"sha256", to_hex(sha256(delta))}};
}

void print_delta(const package::DeltaHead& head, View delta) {
    std::cout << "  format            " << delta::to_string(head.format) << '\n'
              << "  updates from      "
              << (head.old_bytes == 0 ? "nothing: a full image"
                                      : "an image of " + std::to_string(head.old_bytes) +
                                            " bytes (which one it does not say)")
              << '\n'
              << "  to                an image of " << head.new_bytes << " bytes\n"
              << "  size              " << delta.size() << " bytes, "
              << percent_text(static_cast<double>(delta.size()), head.new_bytes) << " of the image\n"
              << "  decoder memory    "
              << (head.memory_bytes == 0 ? "unknown: the rest of its head makes no sense"
                                         : std::to_string(head.memory_bytes) + " bytes in our loader")
              << '\n';
}

Result<void> inspect_delta(const InspectOptions& options, const package::DeltaHead& head, View file) {
    if (options.json) {
        print_json({{"file", options.file}, {"type", "delta"}, {"delta", delta_json(head, file)}});
    } else {
        std::cout << options.file << ": a bare delta, not signed\n";
        print_delta(head, file);
    }
    return {};
}

Result<void> inspect_liteos(const InspectOptions& options, const package::LiteosPackage& found) {
    const auto head = package::delta_head(found.delta);
    if (!head) return damaged(options.file);
    if (options.json) {
        print_json({{"file", options.file},
                    {"type", "liteos"},
                    {"signed", !found.signature.empty()},
                    {"kind", found.kind == 0 ? "full" : "delta"},
                    {"delta", delta_json(*head, found.delta)}});
        return {};
    }
    std::cout << options.file << ": a device package of the original scheme (LiteOS), "
              << (found.signature.empty() ? "not signed\n" : "signed with RSA-2048 (mcuota-pack verify)\n")
              << "  information       " << (found.kind == 0 ? "full package" : "delta") << '\n';
    print_delta(*head, found.delta);
    return {};
}

Result<void> inspect_image(const InspectOptions& options, const package::AliosImage& found) {
    const bool good = found.size_fits && found.md5_fits && found.sha256_fits;
    if (options.json) {
        print_json({{"file", options.file},
                    {"type", "alios-image"},
                    {"kind", found.kind},
                    {"image_bytes", found.announced_bytes},
                    {"images", found.image_count},
                    {"signature", found.signature},
                    {"size_fits", found.size_fits},
                    {"md5_fits", found.md5_fits},
                    {"sha256_fits", found.sha256_fits},
                    {"crc16_is_xmodem", found.crc16_is_xmodem}});
    } else {
        char crc[8];
        std::snprintf(crc, sizeof crc, "0x%04X", found.crc16);
        std::cout << options.file << ": an AliOS Things image with its trailer\n"
                  << "  kind              " << found.kind << ", image count " << unsigned{found.image_count}
                  << '\n'
                  << "  image             " << found.announced_bytes << " bytes"
                  << (found.size_fits ? "\n" : ", which is not where its trailer stands\n")
                  << "  MD5               " << (found.md5_fits ? "fits\n" : "does not fit\n")
                  << "  CRC-16            " << crc
                  << (found.crc16_is_xmodem
                          ? ", the image's CRC-16/XMODEM\n"
                          : ", not the image's CRC-16/XMODEM (what it covers is not published)\n");
        if (!found.signature.empty())
            std::cout << "  signature block   " << found.signature << ", its SHA-256 "
                      << (found.sha256_fits ? "fits\n" : "does not fit\n");
    }
    if (!good) return damaged(options.file);
    return {};
}

Result<void> inspect_pack(const InspectOptions& options, const package::AliosPack& found) {
    bool good = true;
    boost::json::array members;
    for (const package::AliosMember& member : found.members) {
        good = good && member.md5_fits;
        members.push_back({{"name", printable(member.name)},
                           {"bytes", member.content.size()},
                           {"md5_fits", member.md5_fits}});
    }
    if (options.json) {
        print_json({{"file", options.file},
                    {"type", "alios-pack"},
                    {"version", found.version},
                    {"members", std::move(members)}});
    } else {
        std::cout << options.file << ": an AliOS Things pack, version " << found.version << ", "
                  << found.members.size() << (found.members.size() == 1 ? " file\n" : " files\n");
        for (const package::AliosMember& member : found.members)
            std::cout << "  " << printable(member.name) << "  " << member.content.size() << " bytes, MD5 "
                      << (member.md5_fits ? "fits\n" : "does not fit\n");
    }
    if (!good) return damaged(options.file);
    return {};
}

}  // namespace

std::optional<Result<void>> inspect_foreign(const InspectOptions& options, View file) {
    if (const auto head = package::delta_head(file)) return inspect_delta(options, *head, file);
    if (const auto liteos = package::recognise_liteos(file)) return inspect_liteos(options, *liteos);
    if (const auto image = package::recognise_alios_image(file)) return inspect_image(options, *image);
    if (const auto found = package::recognise_alios_pack(file)) return inspect_pack(options, *found);
    return std::nullopt;
}

std::optional<Result<void>> verify_liteos(const VerifyOptions& options, View file) {
    const auto found = package::recognise_liteos(file);
    if (!found) return std::nullopt;
    if (found->signature.empty())
        return Error{ErrorCode::signature_invalid, options.file + " is not signed",
                     "sign it: mcuota-pack diff --prefix --key RSA.pem", 0};
    for (const std::string& pubkey : options.pubkeys) {
        const auto pem = read_file(pubkey, 64U << 10, ErrorCode::key_unreadable);
        if (!pem) return Result<void>(pem.error());
        const auto key = package::OpensslKey::from_public_pem(
            {reinterpret_cast<const char*>(pem->data()), pem->size()}, pubkey);
        if (!key) return Result<void>(key.error());
        if (key->algorithm() != SignatureAlgorithm::rsa_2048_pkcs1_sha256 ||
            !key->verify(found->signed_bytes, found->signature))
            continue;
        if (options.json)
            print_json({{"file", options.file},
                        {"verified", true},
                        {"type", "liteos"},
                        {"key_id", to_hex(key->id())}});
        else
            std::cout << options.file << ": a device package of the original scheme, signed by key "
                      << to_hex(key->id()) << '\n';
        return Result<void>();
    }
    return Error{ErrorCode::signature_invalid,
                 "the signature of " + options.file + " fits none of the keys given",
                 "give the RSA key of who made it", 0};
}

}  // namespace mcuota::pack
