// Rotation records: one valid form, the key ids of OpenSSL, and signatures by the key they name.
#include "mcu_loader/core/rotation.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <vector>

#include "mcu_flasher/package/openssl_key.hpp"
#include "mcu_loader/core/little_endian.hpp"

using namespace mcuota;
using package::OpensslKey;

namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr SignatureAlgorithm kEcdsa = SignatureAlgorithm::ecdsa_p256_sha256;
constexpr SignatureAlgorithm kRsa = SignatureAlgorithm::rsa_2048_pkcs1_sha256;

struct Pair {
    explicit Pair(SignatureAlgorithm algorithm)
        : key(*OpensslKey::generate(algorithm)), bytes(*key.loader_bytes()) {}
    [[nodiscard]] PublicKey loader() const { return {key.algorithm(), key.id(), bytes}; }
    OpensslKey key;
    Bytes bytes;
};

const Pair& pair_of(SignatureAlgorithm algorithm) {
    static const Pair ecdsa(kEcdsa);
    static const Pair rsa(kRsa);
    return algorithm == kEcdsa ? ecdsa : rsa;
}

Bytes record_of(const Pair& signer, const Pair& next, std::uint16_t generation) {
    RotationRecord record;
    record.generation = generation;
    record.algorithm = next.key.algorithm();
    record.signer = signer.key.id();
    record.next_key = next.bytes;
    Bytes out(kRotationBytesMax);
    const std::size_t signature_bytes = signer.key.algorithm() == kEcdsa ? 64 : 256;
    out.resize(encode_rotation(record, signature_bytes, out));
    REQUIRE(!out.empty());
    const Bytes signature = *signer.key.sign(out);
    out.insert(out.end(), signature.begin(), signature.end());
    return out;
}

/// What encoding would write for a record that was parsed.
Bytes written_again(const RotationRecord& record) {
    Bytes out(kRotationBytesMax);
    out.resize(encode_rotation(record, record.signature.size(), out));
    out.insert(out.end(), record.signature.begin(), record.signature.end());
    return out;
}

}  // namespace

TEST_CASE("a rotation between any two kinds of keys is read and verified", "[core][rotation]") {
    for (const SignatureAlgorithm old_kind : {kEcdsa, kRsa}) {
        for (const SignatureAlgorithm new_kind : {kEcdsa, kRsa}) {
            const Pair& signer = pair_of(old_kind);
            const Pair next(new_kind);
            const Bytes bytes = record_of(signer, next, 3);
            const std::size_t sizes[] = {149, 341, 340, 532};
            CHECK(std::find(std::begin(sizes), std::end(sizes), bytes.size()) != std::end(sizes));
            CHECK(rotation_size(bytes) == bytes.size());
            RotationRecord record;
            REQUIRE(parse_rotation(bytes, record) == Status::ok);
            CHECK(record.generation == 3);
            CHECK(record.algorithm == new_kind);
            CHECK(record.signer == signer.key.id());
            CHECK(Bytes(record.next_key.begin(), record.next_key.end()) == next.bytes);
            CHECK(record.size_bytes() == bytes.size());
            CHECK(written_again(record) == bytes);
            CHECK(verify_rotation(record, signer.loader()) == Status::ok);
            CHECK(verify_rotation(record, next.loader()) == Status::key_unknown);
            PublicKey impostor = next.loader();
            impostor.id = signer.key.id();
            CHECK(verify_rotation(record, impostor) == Status::signature_invalid);
        }
    }
}

TEST_CASE("key ids are those of OpenSSL's DER", "[core][rotation]") {
    for (const SignatureAlgorithm kind : {kEcdsa, kRsa}) {
        const Pair pair(kind);
        CHECK(valid_key_form(kind, pair.bytes));
        CHECK(key_id_of(kind, pair.bytes) == pair.key.id());
    }
}

TEST_CASE("malformed rotation records are refused", "[core][rotation]") {
    struct Row {
        const char* name;
        void (*spoil)(Bytes&);
    };
    const Row rows[] = {
        {"wrong magic", [](Bytes& b) { b[0] = 'X'; }},
        {"size one less", [](Bytes& b) { store_u16(&b[4], load_u16(&b[4]) - 1U); }},
        {"size one more", [](Bytes& b) { store_u16(&b[4], load_u16(&b[4]) + 1U); }},
        {"trailing byte", [](Bytes& b) { b.push_back(0); }},
        {"trailing byte counted",
         [](Bytes& b) {
             b.push_back(0);
             store_u16(&b[4], static_cast<std::uint32_t>(b.size()));
         }},
        {"no signature",
         [](Bytes& b) {
             b.resize(b.size() - 64);
             store_u16(&b[4], static_cast<std::uint32_t>(b.size()));
         }},
        {"generation 0", [](Bytes& b) { store_u16(&b[6], 0); }},
        {"generation 9", [](Bytes& b) { store_u16(&b[6], 9); }},
        {"generation 256", [](Bytes& b) { store_u16(&b[6], 256); }},
        {"algorithm 0", [](Bytes& b) { b[8] = 0; }},
        {"algorithm 3", [](Bytes& b) { b[8] = 3; }},
        {"algorithm of another key size", [](Bytes& b) { b[8] = 2; }},
        {"reserved byte", [](Bytes& b) { b[9] = 1; }},
        {"last reserved byte", [](Bytes& b) { b[11] = 1; }},
        {"compressed point", [](Bytes& b) { b[20] = 2; }},
        {"nothing", [](Bytes& b) { b.clear(); }},
    };
    const Bytes good = record_of(pair_of(kEcdsa), Pair(kEcdsa), 1);
    RotationRecord record;
    for (const Row& row : rows) {
        Bytes bytes = good;
        row.spoil(bytes);
        INFO(row.name);
        CHECK(parse_rotation(bytes, record) == Status::malformed_request);
    }
    for (std::size_t size = 0; size < good.size(); ++size)
        CHECK(parse_rotation(std::span(good).first(size), record) == Status::malformed_request);

    Bytes rsa = record_of(pair_of(kRsa), pair_of(kRsa), 8);
    rsa[20] &= 0x7F;  // a modulus of fewer bits
    CHECK(parse_rotation(rsa, record) == Status::malformed_request);
    rsa[20] |= 0x80;
    rsa[20 + 255] &= 0xFE;  // an even one
    CHECK(parse_rotation(rsa, record) == Status::malformed_request);
}

TEST_CASE("whatever changed record is accepted is its own one form, and its signature fails",
          "[core][rotation]") {
    const Pair& signer = pair_of(kEcdsa);
    const Bytes good = record_of(signer, Pair(kEcdsa), 2);
    std::size_t accepted = 0;
    for (std::size_t at = 0; at < good.size(); ++at) {
        Bytes changed = good;
        changed[at] ^= static_cast<std::uint8_t>(1U << (at % 8));
        RotationRecord record;
        if (parse_rotation(changed, record) != Status::ok) continue;
        ++accepted;
        REQUIRE(written_again(record) == changed);
        REQUIRE(verify_rotation(record, signer.loader()) != Status::ok);
    }
    CHECK(accepted > 100);
}

TEST_CASE("a rotation that cannot be expressed is not encoded", "[core][rotation]") {
    const Pair& next = pair_of(kEcdsa);
    const RotationRecord good{1, kEcdsa, next.key.id(), next.bytes, {}, {}};
    Bytes out(kRotationBytesMax);
    REQUIRE(encode_rotation(good, 64, out) == 85);
    CHECK(encode_rotation(good, 65, out) == 0);
    CHECK(encode_rotation(good, 64, std::span(out).first(84)) == 0);
    RotationRecord bad = good;
    bad.generation = 0;
    CHECK(encode_rotation(bad, 64, out) == 0);
    bad.generation = 9;
    CHECK(encode_rotation(bad, 64, out) == 0);
    bad = good;
    bad.algorithm = kRsa;
    CHECK(encode_rotation(bad, 64, out) == 0);
}

TEST_CASE("records back to back are taken apart by their sizes", "[core][rotation]") {
    Bytes all = record_of(pair_of(kEcdsa), pair_of(kRsa), 1);
    const std::size_t first = all.size();
    const Bytes second = record_of(pair_of(kRsa), pair_of(kEcdsa), 2);
    all.insert(all.end(), second.begin(), second.end());
    CHECK(rotation_size(all) == first);
    CHECK(rotation_size(std::span(all).subspan(first)) == second.size());
    CHECK(rotation_size(std::span(all).first(first - 1)) == 0);
    CHECK(rotation_size({}) == 0);
}
