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
    if (random() % 3 == 0 && m.security_counter != 0xFFFFFFFF)
        m.downgrade_floor_max =
            m.security_counter + 1 + static_cast<std::uint32_t>(random() % (0xFFFFFFFF - m.security_counter));
    std::vector<std::string> needs(random() % (kRequiresMax + 1));
    for (std::string& need : needs)
        need = text(1 + random() % kHardwareBytesMax) + ">=" + text(1 + random() % kVersionBytesMax);
    std::sort(needs.begin(), needs.end());
    needs.erase(std::unique(needs.begin(), needs.end()), needs.end());
    for (const std::string& need : needs) {
        Requirement& entry = m.required[m.requires_count++];
        set_text(entry.name, std::string_view(need).substr(0, need.find('>')));
        set_text(entry.version, std::string_view(need).substr(need.find('>') + 2));
    }
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
           a.algorithm == b.algorithm && a.key_id == b.key_id && a.flags == b.flags &&
           a.downgrade_floor_max == b.downgrade_floor_max && a.requires_count == b.requires_count &&
           std::equal(a.required.begin(), a.required.end(), b.required.begin(),
                      [](const Requirement& x, const Requirement& y) {
                          return x.name.view() == y.name.view() && x.version.view() == y.version.view();
                      });
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

/// Puts a field in front of the first one with tag `before`, and counts it.
void insert_field(Bytes& bytes, std::uint16_t before, std::uint16_t tag, const Bytes& value) {
    Bytes field(4);
    store_u16(field.data(), tag);
    store_u16(&field[2], static_cast<std::uint32_t>(value.size()));
    field.insert(field.end(), value.begin(), value.end());
    bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(field_at(bytes, before)), field.begin(),
                 field.end());
    store_u16(&bytes[6], load_u16(&bytes[6]) + 1U);
    fix_size(bytes);
}

Bytes text_bytes(const std::string& text) {
    return {text.begin(), text.end()};
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
    source.security_counter = 3;
    source.downgrade_floor_max = 7;
    source.requires_count = 2;
    set_text(source.required[0].name, "a");
    set_text(source.required[0].version, "1");
    set_text(source.required[1].name, "a");
    set_text(source.required[1].version, "2-x");
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
        {"unknown tag", [](Bytes& b) { store_u16(&b[field_at(b, 0x08)], 0x0B); }},
        {"flags missing, a downgrade in their place",
         [](Bytes& b) { store_u16(&b[field_at(b, 0x08)], 0x09); }},
        {"a downgrade that lowers nothing",
         [](Bytes& b) {
             store_u32(&b[field_at(b, 0x03) + 4], 5);
             insert_field(b, 0x10, 0x09, {5, 0, 0, 0});
         }},
        {"a downgrade of zero",
         [](Bytes& b) {
             store_u32(&b[field_at(b, 0x03) + 4], 0);
             insert_field(b, 0x10, 0x09, {0, 0, 0, 0});
         }},
        {"two downgrades",
         [](Bytes& b) {
             store_u32(&b[field_at(b, 0x03) + 4], 5);
             insert_field(b, 0x10, 0x09, {6, 0, 0, 0});
             insert_field(b, 0x10, 0x09, {6, 0, 0, 0});
         }},
        {"a downgrade of three bytes",
         [](Bytes& b) {
             store_u32(&b[field_at(b, 0x03) + 4], 5);
             insert_field(b, 0x10, 0x09, {6, 0, 0});
         }},
        {"a requirement before the downgrade",
         [](Bytes& b) {
             store_u32(&b[field_at(b, 0x03) + 4], 5);
             insert_field(b, 0x10, 0x0A, text_bytes("a>=1"));
             insert_field(b, 0x10, 0x09, {6, 0, 0, 0});
         }},
        {"a requirement behind the payloads",
         [](Bytes& b) {
             const Bytes field = {0x0A, 0, 4, 0, 'a', '>', '=', '1'};
             b.insert(b.end(), field.begin(), field.end());
             store_u16(&b[6], load_u16(&b[6]) + 1U);
             fix_size(b);
         }},
        {"requirements that descend",
         [](Bytes& b) {
             insert_field(b, 0x10, 0x0A, text_bytes("b>=1"));
             insert_field(b, 0x10, 0x0A, text_bytes("a>=1"));
         }},
        {"a requirement twice",
         [](Bytes& b) {
             insert_field(b, 0x10, 0x0A, text_bytes("a>=1"));
             insert_field(b, 0x10, 0x0A, text_bytes("a>=1"));
         }},
        {"five requirements",
         [](Bytes& b) {
             for (const char* need : {"a>=1", "b>=1", "c>=1", "d>=1", "e>=1"})
                 insert_field(b, 0x10, 0x0A, text_bytes(need));
         }},
        {"a requirement without a version", [](Bytes& b) { insert_field(b, 0x10, 0x0A, text_bytes("a>=")); }},
        {"a requirement without a name", [](Bytes& b) { insert_field(b, 0x10, 0x0A, text_bytes(">=1")); }},
        {"a requirement without a sign", [](Bytes& b) { insert_field(b, 0x10, 0x0A, text_bytes("abcde")); }},
        {"a requirement that ends at its sign",
         [](Bytes& b) { insert_field(b, 0x10, 0x0A, text_bytes("abc>")); }},
        {"a requirement with another sign",
         [](Bytes& b) { insert_field(b, 0x10, 0x0A, text_bytes("a>>1")); }},
        {"a requirement with two signs",
         [](Bytes& b) { insert_field(b, 0x10, 0x0A, text_bytes("a>=1>=2")); }},
        {"a requirement with a space", [](Bytes& b) { insert_field(b, 0x10, 0x0A, text_bytes("a >=1")); }},
        {"a requirement with a name too long",
         [](Bytes& b) { insert_field(b, 0x10, 0x0A, text_bytes(std::string(33, 'a') + ">=1")); }},
        {"a requirement with a version too long",
         [](Bytes& b) { insert_field(b, 0x10, 0x0A, text_bytes("a>=" + std::string(65, '1'))); }},
        {"an empty requirement", [](Bytes& b) { insert_field(b, 0x10, 0x0A, {}); }},
        {"seventeen payloads",
         [](Bytes& b) {
             const std::size_t at = field_at(b, 0x10);
             const Bytes value(b.begin() + static_cast<std::ptrdiff_t>(at + 4), b.end());
             for (int i = 0; i < 16; ++i)
                 insert_field(b, 0x10, 0x10, value);
         }},
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
        {"a downgrade to its own counter",
         [](Manifest& m) { m.downgrade_floor_max = m.security_counter = 9; }},
        {"five requirements", [](Manifest& m) { m.requires_count = 5; }},
        {"an empty requirement",
         [](Manifest& m) {
             m.requires_count = 1;
             m.required[0] = {};
         }},
        {"a requirement twice",
         [](Manifest& m) {
             m.requires_count = 2;
             set_text(m.required[0].name, "pump");
             set_text(m.required[0].version, "2");
             m.required[1] = m.required[0];
         }},
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

TEST_CASE("requirements are ordered by their whole text", "[core][manifest]") {
    struct Row {
        const char* name[2];
        const char* version[2];
        bool good;
    };
    // The sign between name and version takes part: '.' and digits sort before it, letters after it.
    const Row rows[] = {
        {{"a", "b"}, {"1", "1"}, true},   {{"b", "a"}, {"1", "1"}, false}, {{"a", "a"}, {"1", "2"}, true},
        {{"a", "a"}, {"1", "1.0"}, true}, {{"a", "ab"}, {"9", "1"}, true}, {{"a", "a.b"}, {"1", "1"}, false},
        {{"a.b", "a"}, {"1", "1"}, true}, {{"a1", "a"}, {"1", "1"}, true}, {{"Z", "a"}, {"1", "1"}, true},
    };
    for (const Row& row : rows) {
        Manifest m = sample(2);
        m.requires_count = 2;
        for (std::size_t i = 0; i < 2; ++i) {
            set_text(m.required[i].name, row.name[i]);
            set_text(m.required[i].version, row.version[i]);
        }
        INFO(row.name[0] << ">=" << row.version[0] << " then " << row.name[1] << ">=" << row.version[1]);
        const Bytes bytes = encode(m);
        CHECK(bytes.empty() == !row.good);
        Manifest out;
        if (row.good) CHECK(parse_manifest(bytes, out) == Status::ok);
    }
}

TEST_CASE("whatever mutated bytes are accepted is their own one form", "[core][manifest]") {
    // Fields moved, doubled, dropped and spliced between manifests, then bytes changed: a hundred thousand
    // tries.
    std::mt19937 random(21);
    std::size_t accepted = 0;
    for (unsigned round = 0; round < 30'000; ++round) {
        Bytes bytes = encode(sample(static_cast<unsigned>(random() % 200)));
        const Bytes other = encode(sample(static_cast<unsigned>(random() % 200)));
        const auto some_field = [&](const Bytes& from) {
            std::size_t at = 8;
            for (std::size_t skip = random() % 12; skip > 0; --skip) {
                const std::size_t next = at + 4U + load_u16(&from[at + 2]);
                if (next >= from.size()) break;
                at = next;
            }
            return std::pair{static_cast<std::ptrdiff_t>(at),
                             static_cast<std::ptrdiff_t>(at + 4U + load_u16(&from[at + 2]))};
        };
        const auto [begin, end] = some_field(bytes);
        const auto [other_begin, other_end] = some_field(other);
        std::uint32_t count = load_u16(&bytes[6]);
        switch (random() % 4) {
            case 0:
                bytes.erase(bytes.begin() + begin, bytes.begin() + end);
                --count;
                break;
            case 1:
                bytes.insert(bytes.begin() + begin, other.begin() + other_begin, other.begin() + other_end);
                ++count;
                break;
            case 2:
                bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
                count = load_u16(&bytes[6]);
                break;
            default: {
                Bytes swapped(bytes.begin(), bytes.begin() + begin);
                swapped.insert(swapped.end(), other.begin() + other_begin, other.begin() + other_end);
                swapped.insert(swapped.end(), bytes.begin() + end, bytes.end());
                bytes = swapped;
                break;
            }
        }
        if (random() % 8 != 0) {
            store_u16(&bytes[6], count);
            fix_size(bytes);
        }
        Manifest out;
        if (parse_manifest(bytes, out) != Status::ok) continue;
        ++accepted;
        REQUIRE(encode(out) == bytes);
    }
    CHECK(accepted > 1000);
}
