// The manifest has one valid byte form: properties over random manifests, and a table of malformed inputs.
#include "mcu_loader/core/manifest.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

#include "mcu_loader/core/little_endian.hpp"

using namespace mcuota;

namespace {

using Bytes = std::vector<std::uint8_t>;

template <std::size_t Max>
void set_text(BoundedText<Max>& text, std::string_view value) {
    text = {};
    std::copy(value.begin(), value.end(), text.bytes.begin());
    text.length = static_cast<std::uint8_t>(value.size());
}

Bytes encode(const Manifest& manifest) {
    Bytes out(kManifestBytesMax);
    out.resize(encode_manifest(manifest, out));
    return out;
}

Manifest sample(unsigned seed) {
    std::mt19937 random(seed);
    const auto digest = [&random] {
        Sha256Digest out{};
        for (auto& byte : out)
            byte = static_cast<std::uint8_t>(random());
        return out;
    };
    constexpr std::string_view kCharacters =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-";
    const auto text = [&random, kCharacters](std::size_t length) {
        std::string out(length, 'x');
        for (char& c : out)
            c = kCharacters[random() % kCharacters.size()];
        return out;
    };
    Manifest m;
    set_text(m.hardware, text(1 + random() % kHardwareBytesMax));
    set_text(m.version, text(1 + random() % kVersionBytesMax));
    m.security_counter = static_cast<std::uint32_t>(random());
    m.image_size_bytes = 1 + static_cast<std::uint32_t>(random() % 1000000);
    m.image_sha256 = digest();
    m.load_address = static_cast<std::uint32_t>(random());
    m.algorithm = (random() & 1U) != 0 ? SignatureAlgorithm::ecdsa_p256_sha256
                                       : SignatureAlgorithm::rsa_2048_pkcs1_sha256;
    for (auto& byte : m.key_id)
        byte = static_cast<std::uint8_t>(random());
    m.flags = random() & 1U;
    m.payload_count = static_cast<std::uint8_t>(1 + random() % kPayloadsMax);
    for (std::size_t i = 0; i < m.payload_count; ++i) {
        PayloadEntry& entry = m.payloads[i];
        entry.kind = static_cast<PayloadKind>(1 + random() % 6);
        entry.size_bytes = 1 + static_cast<std::uint32_t>(random() % 1000000);
        entry.sha256 = digest();
        if (entry.kind >= PayloadKind::hdiffsf20) {
            entry.base_size_bytes = 1 + static_cast<std::uint32_t>(random() % 1000000);
            entry.base_sha256 = digest();
        }
        entry.memory_bytes = static_cast<std::uint32_t>(random());
    }
    return m;
}

bool same(const PayloadEntry& a, const PayloadEntry& b) {
    return a.kind == b.kind && a.size_bytes == b.size_bytes && a.sha256 == b.sha256 &&
           a.base_size_bytes == b.base_size_bytes && a.base_sha256 == b.base_sha256 &&
           a.memory_bytes == b.memory_bytes;
}

bool same(const Manifest& a, const Manifest& b) {
    bool payloads = a.payload_count == b.payload_count;
    for (std::size_t i = 0; payloads && i < a.payload_count; ++i)
        payloads = same(a.payloads[i], b.payloads[i]);
    return payloads && a.hardware.view() == b.hardware.view() && a.version.view() == b.version.view() &&
           a.security_counter == b.security_counter && a.image_size_bytes == b.image_size_bytes &&
           a.image_sha256 == b.image_sha256 && a.load_address == b.load_address &&
           a.algorithm == b.algorithm && a.key_id == b.key_id && a.flags == b.flags;
}

/// Offset of the first field with `tag`.
std::size_t field_at(const Bytes& bytes, std::uint16_t tag) {
    std::size_t at = 8;
    while (load_u16(&bytes[at]) != tag)
        at += 4U + load_u16(&bytes[at + 2]);
    return at;
}

void fix_size(Bytes& bytes) {
    store_u16(&bytes[4], static_cast<std::uint32_t>(bytes.size()));
}

}  // namespace

TEST_CASE("a manifest survives encoding and parsing", "[core][manifest]") {
    for (unsigned seed = 0; seed < 500; ++seed) {
        const Manifest before = sample(seed);
        const Bytes bytes = encode(before);
        REQUIRE_FALSE(bytes.empty());
        Manifest after;
        REQUIRE(parse_manifest(bytes, after) == Status::ok);
        REQUIRE(same(before, after));
        REQUIRE(encode(after) == bytes);
    }
}

TEST_CASE("every truncation of a manifest is refused", "[core][manifest]") {
    const Bytes bytes = encode(sample(3));
    Manifest out;
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        Bytes cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
        CHECK(parse_manifest(cut, out) == Status::manifest_malformed);
        if (size < 8) continue;
        fix_size(cut);  // also when the size field agrees
        CHECK(parse_manifest(cut, out) == Status::manifest_malformed);
    }
}

TEST_CASE("every changed byte of a manifest is refused or is another manifest's one form",
          "[core][manifest]") {
    Manifest source = sample(5);
    source.payload_count = 2;
    source.payloads[0] = {PayloadKind::lzma, 100, {}, 0, {}, 4096};
    source.payloads[1] = {PayloadKind::hdiff13, 50, {}, 99, {}, 4096};
    const Bytes bytes = encode(source);
    REQUIRE_FALSE(bytes.empty());
    std::size_t refused = 0;
    std::size_t accepted = 0;
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        for (unsigned value = 0; value < 256; ++value) {
            Bytes changed = bytes;
            if (changed[at] == value) continue;
            changed[at] = static_cast<std::uint8_t>(value);
            Manifest out;
            if (parse_manifest(changed, out) == Status::ok) {
                ++accepted;
                REQUIRE(encode(out) == changed);
            } else {
                ++refused;
            }
        }
    }
    CHECK(refused > 0);
    CHECK(accepted > 0);
}

TEST_CASE("malformed manifests are refused", "[core][manifest]") {
    struct Row {
        const char* name;
        void (*spoil)(Bytes&);
    };
    const Row rows[] = {
        {"trailing byte", [](Bytes& b) { b.push_back(0); }},
        {"trailing byte counted in the size",
         [](Bytes& b) {
             b.push_back(0);
             fix_size(b);
         }},
        {"wrong magic", [](Bytes& b) { b[3] = '2'; }},
        {"one field fewer counted", [](Bytes& b) { store_u16(&b[6], load_u16(&b[6]) - 1U); }},
        {"one field more counted", [](Bytes& b) { store_u16(&b[6], load_u16(&b[6]) + 1U); }},
        {"no payload field counted", [](Bytes& b) { store_u16(&b[6], 8); }},
        {"unknown tag", [](Bytes& b) { store_u16(&b[field_at(b, 0x08)], 0x09); }},
        {"a field twice", [](Bytes& b) { store_u16(&b[field_at(b, 0x04)], 0x03); }},
        {"empty hardware name",
         [](Bytes& b) {
             const std::size_t at = field_at(b, 0x01);
             const std::size_t length = load_u16(&b[at + 2]);
             store_u16(&b[at + 2], 0);
             const auto begin = b.begin() + static_cast<std::ptrdiff_t>(at + 4);
             b.erase(begin, begin + static_cast<std::ptrdiff_t>(length));
             fix_size(b);
         }},
        {"character outside the set", [](Bytes& b) { b[field_at(b, 0x02) + 4] = '/'; }},
        {"zero byte in a name", [](Bytes& b) { b[field_at(b, 0x01) + 4] = 0; }},
        {"image of size zero", [](Bytes& b) { store_u32(&b[field_at(b, 0x04) + 4], 0); }},
        {"algorithm zero", [](Bytes& b) { b[field_at(b, 0x07) + 4] = 0; }},
        {"unknown algorithm", [](Bytes& b) { b[field_at(b, 0x07) + 4] = 3; }},
        {"unknown flag", [](Bytes& b) { store_u32(&b[field_at(b, 0x08) + 4], 2); }},
        {"payload kind zero", [](Bytes& b) { b[field_at(b, 0x10) + 4] = 0; }},
        {"unknown payload kind", [](Bytes& b) { b[field_at(b, 0x10) + 4] = 7; }},
        {"reserved byte set", [](Bytes& b) { b[field_at(b, 0x10) + 5] = 1; }},
        {"payload of size zero", [](Bytes& b) { store_u32(&b[field_at(b, 0x10) + 8], 0); }},
        {"full payload with a base size", [](Bytes& b) { b[field_at(b, 0x10) + 4 + 40] = 1; }},
        {"full payload with a base hash", [](Bytes& b) { b[field_at(b, 0x10) + 4 + 44] = 1; }},
        {"delta without a base", [](Bytes& b) { b[field_at(b, 0x10) + 4] = 4; }},
        {"length beyond the end", [](Bytes& b) { store_u16(&b[field_at(b, 0x10) + 2], 0xFFFF); }},
    };
    Manifest source = sample(1);
    source.payload_count = 1;
    source.payloads[0] = {PayloadKind::lzma, 100, {}, 0, {}, 4096};
    for (const Row& row : rows) {
        Bytes bytes = encode(source);
        row.spoil(bytes);
        Manifest out;
        INFO(row.name);
        CHECK(parse_manifest(bytes, out) == Status::manifest_malformed);
    }
}

TEST_CASE("a manifest that cannot be expressed is not encoded", "[core][manifest]") {
    struct Row {
        const char* name;
        void (*spoil)(Manifest&);
    };
    const Row rows[] = {
        {"no hardware", [](Manifest& m) { m.hardware = {}; }},
        {"no version", [](Manifest& m) { m.version = {}; }},
        {"length beyond the text", [](Manifest& m) { m.hardware.length = 33; }},
        {"a space in the version", [](Manifest& m) { set_text(m.version, "1 0"); }},
        {"size zero", [](Manifest& m) { m.image_size_bytes = 0; }},
        {"no payloads", [](Manifest& m) { m.payload_count = 0; }},
        {"too many payloads", [](Manifest& m) { m.payload_count = 17; }},
        {"unknown flag", [](Manifest& m) { m.flags = 4; }},
        {"unknown kind", [](Manifest& m) { m.payloads[0].kind = static_cast<PayloadKind>(9); }},
    };
    Bytes out(kManifestBytesMax);
    for (const Row& row : rows) {
        Manifest m = sample(2);
        REQUIRE(encode_manifest(m, out) != 0);
        row.spoil(m);
        INFO(row.name);
        CHECK(encode_manifest(m, out) == 0);
    }
    const Manifest m = sample(2);
    const std::size_t size = encode_manifest(m, out);
    CHECK(encode_manifest(m, std::span(out).first(size)) == size);
    CHECK(encode_manifest(m, std::span(out).first(size - 1)) == 0);
}
