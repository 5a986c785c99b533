// The .mcup container (docs/package-format.md §1): one valid byte form, checked completely.

#include "mcu_flasher/package/package.hpp"

#include <algorithm>
#include <array>

#include "mcu_flasher/base/file.hpp"
#include "mcu_loader/core/little_endian.hpp"
#include "mcu_loader/core/rotation.hpp"

namespace mcuota::package {
namespace {

constexpr std::array<std::uint8_t, 8> kMagic = {0x4D, 0x43, 0x55, 0x50, 0x0D, 0x0A, 0x1A, 0x0A};
constexpr std::size_t kHeadBytes = 16;
constexpr std::size_t kEntryHeadBytes = 4;
constexpr std::uint16_t kContainerVersion = 1;
constexpr std::size_t kEntriesMax = 16;

Error malformed(std::string what) {
    return {ErrorCode::package_malformed, std::move(what), "fetch or build the package again", 0};
}

std::string entry_name(std::size_t index) {
    return "entry " + std::to_string(index + 1);
}

std::size_t signature_size(SignatureAlgorithm algorithm) {
    return algorithm == SignatureAlgorithm::ecdsa_p256_sha256 ? 64 : 256;
}

Result<void> check_head(std::span<const std::uint8_t> file) {
    // A file that is shorter than the magic but begins like it was cut; anything else was never a package.
    const std::size_t seen = std::min(file.size(), kMagic.size());
    if (!std::equal(kMagic.begin(), kMagic.begin() + static_cast<std::ptrdiff_t>(seen), file.begin())) {
        const bool text_mode = seen >= 5 && std::equal(kMagic.begin(), kMagic.begin() + 4, file.begin());
        return malformed(text_mode ? "the file was changed by a transfer in text mode"
                                   : "the file does not begin like a .mcup package");
    }
    const auto truncated = [&file](std::uint64_t announced) {
        return Error{ErrorCode::package_truncated,
                     "the file ends after " + std::to_string(file.size()) + " of " +
                         std::to_string(announced) + " bytes",
                     "fetch the package again", 0};
    };
    if (file.empty())
        return Error{ErrorCode::package_truncated, "the file is empty", "fetch the package again", 0};
    if (file.size() < kHeadBytes) return truncated(kHeadBytes);
    const std::uint16_t version = load_u16(&file[8]);
    if (version != kContainerVersion)
        return malformed("container version " + std::to_string(version) + " is not known here, only " +
                         std::to_string(kContainerVersion));
    const std::uint32_t size = load_u32(&file[12]);
    if (size > file.size()) return truncated(size);
    if (size < file.size())
        return malformed(std::to_string(file.size() - size) + " bytes follow the end of the package");
    const std::uint16_t entries = load_u16(&file[10]);
    if (entries == 0 || entries > kEntriesMax)
        return malformed("it announces " + std::to_string(entries) + " entries, 1 to 16 are allowed");
    return {};
}

/// Takes `size` bytes off the front; false when there are fewer.
bool take(std::span<const std::uint8_t>& rest, std::size_t size, std::span<const std::uint8_t>& out) {
    if (rest.size() < size) return false;
    out = rest.first(size);
    rest = rest.subspan(size);
    return true;
}

Result<Entry> parse_entry(std::span<const std::uint8_t>& rest, std::size_t index) {
    std::span<const std::uint8_t> head;
    std::span<const std::uint8_t> manifest;
    std::span<const std::uint8_t> signature;
    if (!take(rest, kEntryHeadBytes, head) || !take(rest, load_u16(head.data()), manifest) ||
        !take(rest, load_u16(&head[2]), signature))
        return malformed(entry_name(index) + " reaches beyond the end of the file");

    Entry entry;
    if (parse_manifest(manifest, entry.manifest) != Status::ok)
        return malformed("the manifest of " + entry_name(index) + " is not in its one valid form");
    if (signature.size() != signature_size(entry.manifest.algorithm))
        return malformed(entry_name(index) + " is not signed: its signature has " +
                         std::to_string(signature.size()) + " bytes instead of " +
                         std::to_string(signature_size(entry.manifest.algorithm)));
    entry.manifest_bytes.assign(manifest.begin(), manifest.end());
    entry.signature.assign(signature.begin(), signature.end());
    for (std::size_t i = 0; i < entry.manifest.payload_count; ++i) {
        const PayloadEntry& payload = entry.manifest.payloads[i];
        std::span<const std::uint8_t> bytes;
        const std::string name = "payload " + std::to_string(i + 1) + " of " + entry_name(index);
        if (!take(rest, payload.size_bytes, bytes))
            return malformed(name + " reaches beyond the end of the file");
        if (sha256(bytes) != payload.sha256)
            return Error{ErrorCode::payload_mismatch,
                         "the bytes of " + name + " are not those its manifest lists",
                         "fetch the package again", 0};
        entry.payloads.emplace_back(bytes.begin(), bytes.end());
    }
    return entry;
}

/// The key rotation records that fill what is left of the file.
Result<std::vector<Bytes>> parse_rotations(std::span<const std::uint8_t> rest) {
    std::vector<Bytes> out;
    std::uint16_t generation = 0;
    while (!rest.empty()) {
        const std::size_t size = rotation_size(rest);
        RotationRecord record;
        if (size == 0) return malformed(std::to_string(rest.size()) + " bytes follow the last payload");
        const std::string name = "key rotation record " + std::to_string(out.size() + 1);
        if (parse_rotation(rest.first(size), record) != Status::ok)
            return malformed(name + " is not in its one valid form");
        if (!out.empty() && record.generation != generation + 1)
            return malformed(name + " is for generation " + std::to_string(record.generation) +
                             ", the one before it for " + std::to_string(generation));
        generation = record.generation;
        out.emplace_back(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(size));
        rest = rest.subspan(size);
    }
    return out;
}

}  // namespace

const Entry* Package::find(std::string_view hardware) const {
    const auto entry = std::find_if(entries.begin(), entries.end(), [hardware](const Entry& candidate) {
        return candidate.manifest.hardware.view() == hardware;
    });
    return entry == entries.end() ? nullptr : &*entry;
}

Result<Package> parse(std::span<const std::uint8_t> file) {
    if (auto head = check_head(file); !head) return std::move(head).error();
    Package out;
    const std::size_t count = load_u16(&file[10]);
    std::span<const std::uint8_t> rest = file.subspan(kHeadBytes);
    for (std::size_t i = 0; i < count; ++i) {
        auto entry = parse_entry(rest, i);
        if (!entry) return std::move(entry).error();
        if (!out.entries.empty()) {
            const std::string_view before = out.entries.back().manifest.hardware.view();
            const std::string_view now = entry->manifest.hardware.view();
            if (before == now) return malformed("two entries are for hardware " + std::string(now));
            if (before > now) return malformed("its entries are not in the order of their hardware names");
        }
        out.entries.push_back(std::move(*entry));
    }
    auto rotations = parse_rotations(rest);
    if (!rotations) return std::move(rotations).error();
    out.rotations = std::move(*rotations);
    return out;
}

Result<Package> read(const std::filesystem::path& file, const Limits& limits) {
    auto bytes = read_file(file, limits.file_bytes_max, ErrorCode::package_oversized);
    if (!bytes) return std::move(bytes).error();
    auto package = parse(*bytes);
    if (!package) return std::move(package).error().while_doing("reading " + file.string());
    return package;
}

Result<Bytes> serialize(const Package& package) {
    std::vector<const Entry*> entries;
    for (const Entry& entry : package.entries)
        entries.push_back(&entry);
    std::sort(entries.begin(), entries.end(), [](const Entry* a, const Entry* b) {
        return a->manifest.hardware.view() < b->manifest.hardware.view();
    });

    Bytes out(kHeadBytes);
    for (const Entry* entry : entries) {
        if (entry->manifest_bytes.size() > kManifestBytesMax || entry->signature.size() > kSignatureBytesMax)
            return malformed("a manifest or signature is too long");
        std::array<std::uint8_t, kEntryHeadBytes> head{};
        store_u16(head.data(), static_cast<std::uint32_t>(entry->manifest_bytes.size()));
        store_u16(&head[2], static_cast<std::uint32_t>(entry->signature.size()));
        out.insert(out.end(), head.begin(), head.end());
        out.insert(out.end(), entry->manifest_bytes.begin(), entry->manifest_bytes.end());
        out.insert(out.end(), entry->signature.begin(), entry->signature.end());
        for (const Bytes& payload : entry->payloads)
            out.insert(out.end(), payload.begin(), payload.end());
    }
    for (const Bytes& record : package.rotations)
        out.insert(out.end(), record.begin(), record.end());
    if (out.size() > UINT32_MAX || entries.size() > kEntriesMax)
        return Error{ErrorCode::package_oversized, "the package would be too large",
                     "leave out entries or payloads", 0};
    std::copy(kMagic.begin(), kMagic.end(), out.begin());
    store_u16(&out[8], kContainerVersion);
    store_u16(&out[10], static_cast<std::uint32_t>(entries.size()));
    store_u32(&out[12], static_cast<std::uint32_t>(out.size()));
    // Nothing leaves this program that it would not accept itself.
    if (auto again = parse(out); !again)
        return std::move(again).error().while_doing("checking the new package");
    return out;
}

}  // namespace mcuota::package
