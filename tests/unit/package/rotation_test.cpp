// Key rotation records: made, linked, carried by a container, and nothing else where they are expected.
#include "mcu_flasher/package/rotation_file.hpp"

#include <catch2/catch.hpp>

#include "mcu_loader/core/little_endian.hpp"
#include "tests/unit/package/samples.hpp"

using namespace mcuota;
using namespace mcuota::package;

namespace {

OpensslKey fresh(SignatureAlgorithm algorithm = SignatureAlgorithm::ecdsa_p256_sha256) {
    return *OpensslKey::generate(algorithm);
}

KeySigner signer_with(const OpensslKey& key) {
    return KeySigner(*OpensslKey::from_private_pem(*key.private_pem(), "test key"));
}

/// keys[0] is next of the loader as built; record k makes keys[k] current and keys[k + 1] next.
struct Chain {
    std::vector<OpensslKey> keys;
    std::vector<Bytes> records;
    explicit Chain(std::size_t length) {
        for (std::size_t i = 0; i <= length; ++i)
            keys.push_back(fresh());
        for (std::size_t i = 0; i < length; ++i)
            records.push_back(
                *make_rotation(static_cast<std::uint16_t>(i + 1), keys[i + 1], signer_with(keys[i])));
    }
};

Result<Package> with_tail(const Bytes& tail) {
    static const Bytes plain = *serialize(samples::package(samples::image(40)));
    Bytes file = plain;
    file.insert(file.end(), tail.begin(), tail.end());
    store_u32(&file[12], static_cast<std::uint32_t>(file.size()));
    return parse(file);
}

Bytes joined(const std::vector<Bytes>& parts) {
    Bytes out;
    for (const Bytes& part : parts)
        out.insert(out.end(), part.begin(), part.end());
    return out;
}

}  // namespace

TEST_CASE("a rotation record says and proves who becomes current and who next", "[rotation]") {
    for (const auto signer_type :
         {SignatureAlgorithm::ecdsa_p256_sha256, SignatureAlgorithm::rsa_2048_pkcs1_sha256}) {
        for (const auto next_type :
             {SignatureAlgorithm::ecdsa_p256_sha256, SignatureAlgorithm::rsa_2048_pkcs1_sha256}) {
            const OpensslKey signing = fresh(signer_type), next = fresh(next_type);
            const auto bytes = make_rotation(3, next, signer_with(signing));
            REQUIRE(bytes);
            RotationRecord record;
            REQUIRE(parse_rotation(*bytes, record) == Status::ok);
            CHECK(record.generation == 3);
            CHECK(record.signer == signing.id());
            CHECK(key_id_of(record.algorithm, record.next_key) == next.id());
            const Bytes key = *signing.loader_bytes();
            CHECK(verify_rotation(record, {signer_type, signing.id(), key}) == Status::ok);
            Keyring keys;
            REQUIRE(keys.add_pem(*signing.public_pem(), "signing"));
            CHECK(keys.verify_rotation(*bytes));
            CHECK(samples::keyring().verify_rotation(*bytes).error().code == ErrorCode::key_unknown);
            Bytes damaged = *bytes;
            damaged[40] ^= 1;
            CHECK_FALSE(keys.verify_rotation(damaged));
        }
    }
}

TEST_CASE("rotations that make no sense are not made", "[rotation]") {
    const OpensslKey a = fresh(), b = fresh();
    CHECK(make_rotation(0, b, signer_with(a)).error().code == ErrorCode::usage);
    CHECK(make_rotation(9, b, signer_with(a)).error().code == ErrorCode::usage);
    CHECK(make_rotation(1, a, signer_with(a)).error().code == ErrorCode::usage);
    CHECK(make_rotation(8, b, signer_with(a)));
}

TEST_CASE("records are put in order and must follow from each other", "[rotation]") {
    const Chain chain(3);
    const auto& r = chain.records;
    CHECK(*chain_of({r[2], r[0], r[1], r[0]}) == r);
    CHECK(chain_of({r[1], r[2]}));
    CHECK(chain_of({})->empty());
    CHECK(chain_of({r[0], r[2]}).error().what.find("does not follow") != std::string::npos);
    const Chain other(3);
    CHECK(chain_of({r[0], other.records[1]}).error().what.find("makes") != std::string::npos);
    CHECK(chain_of({r[0], other.records[0]}).error().code == ErrorCode::package_malformed);
    Bytes forged = r[1];
    forged.back() ^= 1;
    CHECK(chain_of({r[0], forged}).error().code == ErrorCode::signature_invalid);
    CHECK(chain_of({Bytes(149)}).error().code == ErrorCode::package_malformed);
}

TEST_CASE("a container carries records after its last entry", "[rotation][package]") {
    const Chain chain(8);
    Package package = samples::package(samples::image(40));
    package.rotations = chain.records;
    const auto bytes = serialize(package);
    REQUIRE(bytes);
    const auto again = parse(*bytes);
    REQUIRE(again);
    CHECK(again->rotations == chain.records);
    CHECK(*serialize(*again) == *bytes);
    package.rotations.erase(package.rotations.begin(), package.rotations.begin() + 5);
    CHECK(parse(*serialize(package))->rotations.size() == 3);
    std::swap(package.rotations[0], package.rotations[1]);
    CHECK_FALSE(serialize(package));
}

TEST_CASE("whatever else follows the last entry is refused", "[rotation][package]") {
    const Chain chain(3);
    const auto& r = chain.records;
    const auto changed = [&](std::size_t at, std::uint8_t value) {
        Bytes out = r[0];
        out[at] = value;
        return out;
    };
    struct Row {
        const char* name;
        Bytes tail;
    };
    const Row rows[] = {
        {"one byte", {0}},
        {"a record's magic only", {'M', 'C', 'K', '1'}},
        {"a record of other magic", changed(3, '2')},
        {"a size of zero", changed(4, 0)},
        {"a size beyond the file", changed(5, 0xFF)},
        {"a size one too small", changed(4, static_cast<std::uint8_t>(r[0][4] - 1))},
        {"generation 0", changed(6, 0)},
        {"generation 9", changed(6, 9)},
        {"an unknown algorithm", changed(8, 3)},
        {"the algorithm of a longer key", changed(8, 2)},
        {"a reserved byte set", changed(9, 1)},
        {"a compressed point", changed(20, 2)},
        {"a byte between records", joined({r[0], {0}, r[1]})},
        {"a byte after the records", joined({r[0], r[1], {0}})},
        {"a gap", joined({r[0], r[2]})},
        {"the same record twice", joined({r[0], r[0]})},
        {"records backwards", joined({r[1], r[0]})},
    };
    for (const Row& row : rows) {
        const auto result = with_tail(row.tail);
        INFO(row.name);
        REQUIRE_FALSE(result);
        CHECK(result.error().code == ErrorCode::package_malformed);
    }
    for (std::size_t size = 1; size < r[0].size(); ++size)
        CHECK_FALSE(with_tail(Bytes(r[0].begin(), r[0].begin() + static_cast<std::ptrdiff_t>(size))));
    CHECK(with_tail(joined({r[0], r[1], r[2]})));
}

TEST_CASE("a package with rotations is signed by the key that is current after them", "[rotation][builder]") {
    const Chain chain(2);
    BuildRequest request;
    request.hardware = "pump-3";
    request.version = "1.0.0";
    request.rotations = {chain.records[1], chain.records[0]};
    const Bytes image = samples::image(40);
    const auto good = build_package(image, request, signer_with(chain.keys[1]));
    REQUIRE(good);
    CHECK(good->rotations == chain.records);
    for (const std::size_t wrong : {0U, 2U})
        CHECK(build_package(image, request, signer_with(chain.keys[wrong])).error().code == ErrorCode::usage);
}
