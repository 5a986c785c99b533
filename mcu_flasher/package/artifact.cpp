// Zip artifacts through libarchive, bounded before and while they are unpacked.

#include "mcu_flasher/package/artifact.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <memory>
#include <optional>
#include <string_view>

#include "mcu_flasher/base/file.hpp"
#include "mcu_loader/core/little_endian.hpp"

namespace mcuota::package {
namespace {

using View = std::span<const std::uint8_t>;

struct FreeArchive {
    void operator()(archive* a) const noexcept { archive_read_free(a); }
};
using Reader = std::unique_ptr<archive, FreeArchive>;

constexpr std::array<std::uint8_t, 4> kLocalMark = {'P', 'K', 3, 4};
constexpr std::array<std::uint8_t, 4> kCentralMark = {'P', 'K', 1, 2};
constexpr std::array<std::uint8_t, 4> kEndMark = {'P', 'K', 5, 6};
constexpr std::array<std::uint8_t, 4> kPackageMark = {'M', 'C', 'U', 'P'};
constexpr std::size_t kCentralBytes = 46;
constexpr std::size_t kEndBytes = 22;
constexpr std::size_t kCommentBytesMax = 0xFFFF;

bool begins_with(View bytes, View mark) {
    return bytes.size() >= mark.size() && std::equal(mark.begin(), mark.end(), bytes.begin());
}

Error refused(std::string what) {
    return {ErrorCode::package_malformed, std::move(what),
            "hand over the .mcup file, or a zip with nothing else in it: mcuota-pack zip", 0};
}

Error too_many(std::size_t entries_max) {
    return refused("the zip holds more than the " + std::to_string(entries_max) + " entries allowed");
}

/// Walks the zip's table of contents by itself: libarchive reads all of it into memory, however long it is.
Result<void> check_table(View file, const ArtifactLimits& limits) {
    const std::size_t first =
        file.size() > kEndBytes + kCommentBytesMax ? file.size() - kEndBytes - kCommentBytesMax : 0;
    std::optional<std::size_t> end;
    for (std::size_t at = file.size() < kEndBytes ? 0 : file.size() - kEndBytes + 1; at > first && !end;) {
        --at;
        if (begins_with(file.subspan(at), kEndMark) &&
            at + kEndBytes + load_u16(&file[at + 20]) == file.size())
            end = at;
    }
    if (!end) return refused("the zip has no table of contents: it was cut, or bytes follow its end");
    const std::size_t announced = load_u16(&file[*end + 10]);
    const std::size_t size = load_u32(&file[*end + 12]);
    std::size_t at = load_u32(&file[*end + 16]);
    if (announced > limits.entries_max) return too_many(limits.entries_max);
    if (announced == 0) return refused("the zip holds no package: it is empty");
    if (at > *end || size != *end - at) return refused("the zip's table of contents is damaged");
    std::size_t entries = 0;
    for (; at < *end; ++entries) {
        if (entries == announced || *end - at < kCentralBytes || !begins_with(file.subspan(at), kCentralMark))
            return refused("the zip's table of contents is damaged");
        const std::size_t bytes =
            kCentralBytes + load_u16(&file[at + 28]) + load_u16(&file[at + 30]) + load_u16(&file[at + 32]);
        if (bytes > *end - at) return refused("the zip's table of contents is damaged");
        at += bytes;
    }
    if (entries != announced) return refused("the zip's table of contents is damaged");
    return {};
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return out;
}

/// Signature and description files that clouds and their signing tools put beside the payload.
bool passed_over(std::string_view path) {
    const std::string whole = lower(path);
    const std::size_t slash = whole.rfind('/');
    const std::string name = slash == std::string::npos ? whole : whole.substr(slash + 1);
    if (whole.starts_with("meta") || name.starts_with("meta")) return true;
    const std::size_t dot = name.rfind('.');
    if (dot == std::string::npos) return false;
    const std::string_view suffix = std::string_view(name).substr(dot);
    return suffix == ".cer" || suffix == ".cms" || suffix == ".sig" || suffix == ".json" ||
           suffix.starts_with(".p7");
}

/// A name from outside, fit for a message: bounded, printable.
std::string shown(std::string_view name) {
    std::string out;
    for (const char c : name.substr(0, 80))
        out += c >= 0x20 && c < 0x7F ? c : '?';
    return out;
}

std::string reason(archive* zip) {
    const char* const text = archive_error_string(zip);
    return text == nullptr ? "damaged" : shown(text);
}

/// All bytes of the entry the reader stands at.
Result<Bytes> unpack(archive* zip, const std::string& name, const ArtifactLimits& limits) {
    Bytes out;
    std::array<std::uint8_t, 1U << 16> piece{};
    for (;;) {
        const la_ssize_t count = archive_read_data(zip, piece.data(), piece.size());
        if (count == 0) return out;
        if (count < 0) return refused("\"" + name + "\" in the zip cannot be unpacked: " + reason(zip));
        if (static_cast<std::uint64_t>(count) > limits.package_bytes_max - out.size())
            return Error{ErrorCode::package_oversized,
                         "\"" + name + "\" in the zip unpacks to more than the " +
                             std::to_string(limits.package_bytes_max) + " bytes allowed",
                         "check that it is the right file", 0};
        out.insert(out.end(), piece.begin(), piece.begin() + count);
    }
}

Result<Artifact> unzip(View file, const ArtifactLimits& limits) {
    if (auto table = check_table(file, limits); !table) return std::move(table).error();
    const Reader zip(archive_read_new());
    if (!zip || archive_read_support_format_zip_seekable(zip.get()) != ARCHIVE_OK ||
        archive_read_open_memory(zip.get(), file.data(), file.size()) != ARCHIVE_OK)
        return refused("the zip cannot be read");
    Artifact out;
    bool found = false;
    std::size_t entries = 0;
    for (;;) {
        archive_entry* entry = nullptr;
        const int result = archive_read_next_header(zip.get(), &entry);
        if (result == ARCHIVE_EOF) break;
        if (result < ARCHIVE_WARN) return refused("the zip cannot be read: " + reason(zip.get()));
        if (++entries > limits.entries_max) return too_many(limits.entries_max);
        const char* const path = archive_entry_pathname(entry);
        const std::string_view name = path == nullptr ? "" : path;
        if (archive_entry_filetype(entry) == AE_IFDIR || passed_over(name)) continue;
        if (archive_entry_filetype(entry) != AE_IFREG)
            return refused("\"" + shown(name) + "\" in the zip is no file");
        if (archive_entry_is_encrypted(entry) != 0)
            return refused("\"" + shown(name) + "\" in the zip is encrypted");
        if (found)
            return refused("the zip holds \"" + out.member + "\" and \"" + shown(name) +
                           "\"; it must hold exactly one package");
        found = true;
        out.member = shown(name);
        auto bytes = unpack(zip.get(), out.member, limits);
        if (!bytes) return std::move(bytes).error();
        out.package = std::move(*bytes);
        if (!begins_with(out.package, kPackageMark))
            return refused("\"" + out.member + "\" in the zip is no .mcup package");
    }
    if (!found) return refused("the zip holds no package");
    return out;
}

}  // namespace

Result<Artifact> unwrap_artifact(View file, const ArtifactLimits& limits) {
    if (begins_with(file, kLocalMark) || begins_with(file, kEndMark)) return unzip(file, limits);
    return Artifact{Bytes(file.begin(), file.end()), {}};
}

Result<Artifact> read_artifact(const std::filesystem::path& file, const ArtifactLimits& limits) {
    const auto bytes = read_file(file, limits.file_bytes_max, ErrorCode::package_oversized);
    if (!bytes) return bytes.error();
    auto artifact = unwrap_artifact(*bytes, limits);
    if (!artifact) return std::move(artifact).error().while_doing("reading " + file.string());
    return artifact;
}

Result<Package> open_artifact(const std::filesystem::path& file, const ArtifactLimits& limits) {
    const auto artifact = read_artifact(file, limits);
    if (!artifact) return artifact.error();
    auto package = parse(artifact->package);
    if (package) return package;
    const std::string inside = artifact->member.empty() ? "" : " (" + artifact->member + ")";
    return std::move(package).error().while_doing("reading " + file.string() + inside);
}

}  // namespace mcuota::package
