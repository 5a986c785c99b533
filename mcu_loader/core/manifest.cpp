// The manifest's one valid byte form (docs/package-format.md §3). Encoding is the definition; parsing reads
// the fields in the only order there is and accepts exactly what encoding writes.

#include "mcu_loader/core/manifest.hpp"

#include <algorithm>

#include "mcu_loader/core/every.hpp"
#include "mcu_loader/core/little_endian.hpp"

namespace mcuota {
namespace {

constexpr std::array<std::uint8_t, 4> kMagic = {0x4D, 0x43, 0x4D, 0x31};  // "MCM1"
constexpr std::size_t kHeadBytes = 8;
constexpr std::size_t kFieldHeadBytes = 4;
constexpr std::size_t kPayloadFieldBytes = 80;
constexpr std::uint16_t kSingleFields = 8;
constexpr std::size_t kRequirementBytesMax = kHardwareBytesMax + 2 + kVersionBytesMax;

enum Tag : std::uint16_t {
    tag_hardware = 0x01,
    tag_version = 0x02,
    tag_security_counter = 0x03,
    tag_image_size = 0x04,
    tag_image_sha256 = 0x05,
    tag_load_address = 0x06,
    tag_key = 0x07,
    tag_flags = 0x08,
    tag_downgrade = 0x09,
    tag_requires = 0x0A,
    tag_payload = 0x10,
};

bool text_char(char c) noexcept {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '+' || c == '-';
}

bool all_zero(std::span<const std::uint8_t> bytes) noexcept {
    return every_byte_is(bytes, 0);
}

template <std::size_t Max>
bool valid_text(const BoundedText<Max>& text) noexcept {
    if (text.length == 0 || text.length > Max) return false;
    return every(std::span{text.bytes}.first(text.length), text_char);
}

/// Byte `at` of the text NAME>=VERSION; -1 behind its end.
int text_byte(const Requirement& requirement, std::size_t at) noexcept {
    if (at < requirement.name.length) return requirement.name.bytes[at];
    at -= requirement.name.length;
    if (at < 2) return at == 0 ? '>' : '=';
    at -= 2;
    return at < requirement.version.length ? requirement.version.bytes[at] : -1;
}

std::size_t text_bytes(const Requirement& requirement) noexcept {
    return std::size_t{requirement.name.length} + 2 + requirement.version.length;
}

bool ascending(const Requirement& first, const Requirement& second) noexcept {
    std::size_t at = 0;
    while (text_byte(first, at) == text_byte(second, at)) {
        if (text_byte(first, at) < 0) return false;
        ++at;
    }
    return text_byte(first, at) < text_byte(second, at);
}

bool valid_requirements(const Manifest& manifest) noexcept {
    if (manifest.requires_count > kRequiresMax) return false;
    for (std::size_t i = 0; i < manifest.requires_count; ++i) {
        const Requirement& entry = manifest.required[i];
        if (!valid_text(entry.name) || !valid_text(entry.version)) return false;
        if (i > 0 && !ascending(manifest.required[i - 1], entry)) return false;
    }
    return true;
}

bool known_algorithm(SignatureAlgorithm algorithm) noexcept {
    return algorithm == SignatureAlgorithm::ecdsa_p256_sha256 ||
           algorithm == SignatureAlgorithm::rsa_2048_pkcs1_sha256;
}

bool valid_payload(const PayloadEntry& entry) noexcept {
    if (entry.size_bytes == 0) return false;
    switch (entry.kind) {
        case PayloadKind::raw:
        case PayloadKind::lzma:
        case PayloadKind::lzma_thumb:
            return entry.base_size_bytes == 0 && all_zero(entry.base_sha256);
        case PayloadKind::hdiffsf20:
        case PayloadKind::hdiff13:
        case PayloadKind::relocated:
            return entry.base_size_bytes != 0;
    }
    return false;
}

/// What a manifest must hold to be expressible at all; shared by both directions.
bool valid(const Manifest& manifest) noexcept {
    if (!valid_text(manifest.hardware) || !valid_text(manifest.version)) return false;
    if (manifest.image_size_bytes == 0 || !known_algorithm(manifest.algorithm)) return false;
    if ((manifest.flags & ~kFlagAllowDerived) != 0) return false;
    if (manifest.downgrade_floor_max != 0 && manifest.downgrade_floor_max <= manifest.security_counter)
        return false;
    if (!valid_requirements(manifest)) return false;
    if (manifest.payload_count == 0 || manifest.payload_count > kPayloadsMax) return false;
    return every(std::span{manifest.payloads}.first(manifest.payload_count), valid_payload);
}

/// Appends fields; the caller has checked that everything fits.
class Writer {
  public:
    explicit Writer(std::uint8_t* at) noexcept : at_(at) {}
    void raw(std::span<const std::uint8_t> bytes) noexcept {
        at_ = std::copy(bytes.begin(), bytes.end(), at_);
    }
    void u8(std::uint8_t value) noexcept { *at_++ = value; }
    void u16(std::size_t value) noexcept {
        store_u16(at_, static_cast<std::uint32_t>(value));
        at_ += 2;
    }
    void u32(std::uint32_t value) noexcept {
        store_u32(at_, value);
        at_ += 4;
    }
    void field(Tag tag, std::size_t length) noexcept {
        u16(tag);
        u16(length);
    }
    void number(Tag tag, std::uint32_t value) noexcept {
        field(tag, 4);
        u32(value);
    }
    void characters(std::string_view value) noexcept {
        for (const char c : value)
            u8(static_cast<std::uint8_t>(c));
    }
    template <std::size_t Max>
    void text(Tag tag, const BoundedText<Max>& value) noexcept {
        field(tag, value.length);
        characters(value.view());
    }

  private:
    std::uint8_t* at_;
};

template <std::size_t Max>
bool take_text(std::span<const std::uint8_t> value, BoundedText<Max>& out) noexcept {
    if (value.empty() || value.size() > Max) return false;
    std::transform(value.begin(), value.end(), out.bytes.begin(),
                   [](std::uint8_t byte) { return static_cast<char>(byte); });
    out.length = static_cast<std::uint8_t>(value.size());
    return true;
}

/// Takes fields in order; a field that is not the expected one makes the reader fail for good.
class Reader {
  public:
    explicit Reader(std::span<const std::uint8_t> bytes) noexcept : rest_(bytes) {}
    [[nodiscard]] bool at_end() const noexcept { return rest_.empty(); }
    /// Whether a field with this tag comes next.
    [[nodiscard]] bool next_is(Tag tag) const noexcept {
        return rest_.size() >= kFieldHeadBytes && load_u16(rest_.data()) == tag;
    }

    /// Value of the next field when it has this tag and a length within the bounds; else empty.
    std::span<const std::uint8_t> field(Tag tag, std::size_t length_min, std::size_t length_max) noexcept {
        if (!next_is(tag)) return {};
        const std::size_t length = load_u16(rest_.data() + 2);
        if (length < length_min || length > length_max || length > rest_.size() - kFieldHeadBytes) return {};
        const auto value = rest_.subspan(kFieldHeadBytes, length);
        rest_ = rest_.subspan(kFieldHeadBytes + length);
        return value;
    }
    bool number(Tag tag, std::uint32_t& out) noexcept {
        const auto value = field(tag, 4, 4);
        if (value.empty()) return false;
        out = load_u32(value.data());
        return true;
    }
    template <std::size_t Max>
    bool text(Tag tag, BoundedText<Max>& out) noexcept {
        return take_text(field(tag, 1, Max), out);
    }
    bool digest(Tag tag, Sha256Digest& out) noexcept {
        const auto value = field(tag, out.size(), out.size());
        if (value.empty()) return false;
        std::copy(value.begin(), value.end(), out.begin());
        return true;
    }

  private:
    std::span<const std::uint8_t> rest_;
};

void write_payload(Writer& out, const PayloadEntry& entry) noexcept {
    constexpr std::array<std::uint8_t, 3> kReserved{};
    out.field(tag_payload, kPayloadFieldBytes);
    out.u8(static_cast<std::uint8_t>(entry.kind));
    out.raw(kReserved);
    out.u32(entry.size_bytes);
    out.raw(entry.sha256);
    out.u32(entry.base_size_bytes);
    out.raw(entry.base_sha256);
    out.u32(entry.memory_bytes);
}

bool read_payload(Reader& in, PayloadEntry& out) noexcept {
    const auto value = in.field(tag_payload, kPayloadFieldBytes, kPayloadFieldBytes);
    if (value.empty() || !all_zero(value.subspan(1, 3))) return false;
    out.kind = static_cast<PayloadKind>(value[0]);
    out.size_bytes = load_u32(&value[4]);
    std::copy_n(value.begin() + 8, out.sha256.size(), out.sha256.begin());
    out.base_size_bytes = load_u32(&value[40]);
    std::copy_n(value.begin() + 44, out.base_sha256.size(), out.base_sha256.begin());
    out.memory_bytes = load_u32(&value[76]);
    return true;
}

bool read_requirement(Reader& in, Requirement& out) noexcept {
    const auto value = in.field(tag_requires, 1, kRequirementBytesMax);
    const auto name_end = std::find(value.begin(), value.end(), std::uint8_t{'>'});
    const auto name_bytes = static_cast<std::size_t>(name_end - value.begin());
    if (value.size() - name_bytes < 2 || value[name_bytes + 1] != '=') return false;
    return take_text(value.first(name_bytes), out.name) &&
           take_text(value.subspan(name_bytes + 2), out.version);
}

/// The fields that may be missing. `fields` counts those that were there.
bool read_optional(Reader& in, Manifest& out, std::size_t& fields) noexcept {
    if (in.next_is(tag_downgrade)) {
        if (!in.number(tag_downgrade, out.downgrade_floor_max) || out.downgrade_floor_max == 0) return false;
        ++fields;
    }
    while (in.next_is(tag_requires)) {
        if (out.requires_count == kRequiresMax) return false;
        if (!read_requirement(in, out.required[out.requires_count])) return false;
        ++out.requires_count;
        ++fields;
    }
    return true;
}

std::size_t encoded_bytes(const Manifest& manifest) noexcept {
    constexpr std::size_t kFixedValues = 4 + 4 + 32 + 4 + 9 + 4;
    std::size_t size = kHeadBytes + kSingleFields * kFieldHeadBytes + kFixedValues +
                       manifest.hardware.length + manifest.version.length +
                       manifest.payload_count * (kFieldHeadBytes + kPayloadFieldBytes);
    if (manifest.downgrade_floor_max != 0) size += kFieldHeadBytes + 4;
    for (std::size_t i = 0; i < manifest.requires_count; ++i)
        size += kFieldHeadBytes + text_bytes(manifest.required[i]);
    return size;
}

}  // namespace

Status parse_manifest(std::span<const std::uint8_t> bytes, Manifest& out) noexcept {
    out = Manifest{};
    if (bytes.size() < kHeadBytes || bytes.size() > kManifestBytesMax ||
        !std::equal(kMagic.begin(), kMagic.end(), bytes.begin()) || load_u16(&bytes[4]) != bytes.size())
        return Status::manifest_malformed;
    const std::size_t field_count = load_u16(&bytes[6]);

    Reader in(bytes.subspan(kHeadBytes));
    bool good = in.text(tag_hardware, out.hardware) && in.text(tag_version, out.version) &&
                in.number(tag_security_counter, out.security_counter) &&
                in.number(tag_image_size, out.image_size_bytes) &&
                in.digest(tag_image_sha256, out.image_sha256) &&
                in.number(tag_load_address, out.load_address);
    if (!good) return Status::manifest_malformed;

    const auto key = in.field(tag_key, 1 + out.key_id.size(), 1 + out.key_id.size());
    if (key.empty()) return Status::manifest_malformed;
    out.algorithm = static_cast<SignatureAlgorithm>(key[0]);
    std::copy(key.begin() + 1, key.end(), out.key_id.begin());

    std::size_t fields = kSingleFields;
    good = in.number(tag_flags, out.flags) && read_optional(in, out, fields) && field_count > fields &&
           field_count - fields <= kPayloadsMax;
    if (!good) return Status::manifest_malformed;
    out.payload_count = static_cast<std::uint8_t>(field_count - fields);
    for (std::size_t i = 0; good && i < out.payload_count; ++i)
        good = read_payload(in, out.payloads[i]);
    return good && in.at_end() && valid(out) ? Status::ok : Status::manifest_malformed;
}

std::size_t encode_manifest(const Manifest& manifest, std::span<std::uint8_t> out) noexcept {
    if (!valid(manifest)) return 0;
    const std::size_t size = encoded_bytes(manifest);
    static_assert(kHeadBytes + kSingleFields * kFieldHeadBytes + 57 + kHardwareBytesMax + kVersionBytesMax +
                      (kFieldHeadBytes + 4) + kRequiresMax * (kFieldHeadBytes + kRequirementBytesMax) +
                      kPayloadsMax * (kFieldHeadBytes + kPayloadFieldBytes) <=
                  kManifestBytesMax);
    if (out.size() < size) return 0;

    Writer to(out.data());
    to.raw(kMagic);
    to.u16(size);
    const bool lowers = manifest.downgrade_floor_max != 0;
    to.u16(kSingleFields + (lowers ? 1U : 0U) + std::size_t{manifest.requires_count} +
           manifest.payload_count);
    to.text(tag_hardware, manifest.hardware);
    to.text(tag_version, manifest.version);
    to.number(tag_security_counter, manifest.security_counter);
    to.number(tag_image_size, manifest.image_size_bytes);
    to.field(tag_image_sha256, manifest.image_sha256.size());
    to.raw(manifest.image_sha256);
    to.number(tag_load_address, manifest.load_address);
    to.field(tag_key, 1 + manifest.key_id.size());
    to.u8(static_cast<std::uint8_t>(manifest.algorithm));
    to.raw(manifest.key_id);
    to.number(tag_flags, manifest.flags);
    if (lowers) to.number(tag_downgrade, manifest.downgrade_floor_max);
    for (std::size_t i = 0; i < manifest.requires_count; ++i) {
        const Requirement& entry = manifest.required[i];
        to.field(tag_requires, text_bytes(entry));
        to.characters(entry.name.view());
        to.characters(">=");
        to.characters(entry.version.view());
    }
    for (std::size_t i = 0; i < manifest.payload_count; ++i)
        write_payload(to, manifest.payloads[i]);
    return size;
}

}  // namespace mcuota
