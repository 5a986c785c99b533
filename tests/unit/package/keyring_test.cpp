// Key rings, key files and the form of signatures.
#include <catch2/catch.hpp>

#include "mcu_flasher/base/file.hpp"
#include "mcu_loader/core/signature.hpp"
#include "tests/unit/package/samples.hpp"

using namespace mcuota;
using namespace mcuota::package;

namespace {

constexpr SignatureAlgorithm kBoth[] = {SignatureAlgorithm::ecdsa_p256_sha256,
                                        SignatureAlgorithm::rsa_2048_pkcs1_sha256};

// A valid key of a curve the loader does not know (made with openssl genpkey).
constexpr std::string_view kP384 =
    "-----BEGIN PUBLIC KEY-----\n"
    "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEf1YZ3YI28SyMGmJ6qUOZmswRCaYKyxmx\n"
    "HrRdl88EwlRh74Phuz0FvSF2DBuwKS82HLB5+rXO4c1gHUnuZBSb+kSKptQjYGVK\n"
    "9Ejw2hTdnCUxVBo/AWL3WwiEoABgpU/Z\n"
    "-----END PUBLIC KEY-----\n";

}  // namespace

TEST_CASE("what a key signs, its ring and the loader verify", "[package][keys]") {
    for (const SignatureAlgorithm algorithm : kBoth) {
        const Package package = samples::package(samples::image(100), "pump-3", "1.0.0", algorithm);
        const Entry& entry = package.entries[0];
        CHECK(samples::keyring(algorithm).verify(entry));

        const Bytes loader_bytes = *samples::key(algorithm).loader_bytes();
        const PublicKey loader_key{algorithm, samples::key(algorithm).id(), loader_bytes};
        CHECK(verify_manifest({&loader_key, 1}, entry.manifest, entry.manifest_bytes, entry.signature) ==
              Status::ok);
    }
}

TEST_CASE("an unknown key and a wrong signature are told apart", "[package][keys]") {
    for (const SignatureAlgorithm algorithm : kBoth) {
        Entry entry = samples::package(samples::image(100), "pump-3", "1.0.0", algorithm).entries[0];
        const SignatureAlgorithm other = algorithm == kBoth[0] ? kBoth[1] : kBoth[0];
        const auto unknown = samples::keyring(other).verify(entry);
        REQUIRE_FALSE(unknown);
        CHECK(unknown.error().code == ErrorCode::key_unknown);
        CHECK(exit_code(unknown.error().code) == 4);
        CHECK(Keyring{}.verify(entry).error().code == ErrorCode::key_unknown);

        for (std::size_t at = 0; at < entry.signature.size(); at += 7) {
            Entry changed = entry;
            changed.signature[at] ^= 1;
            REQUIRE(samples::keyring(algorithm).verify(changed).error().code == ErrorCode::signature_invalid);
        }
        Entry shorter = entry;
        shorter.signature.pop_back();
        CHECK(samples::keyring(algorithm).verify(shorter).error().code == ErrorCode::signature_invalid);

        // Signed by somebody else who claims our key's id.
        entry.signature = *OpensslKey::generate(algorithm)->sign(entry.manifest_bytes);
        CHECK(samples::keyring(algorithm).verify(entry).error().code == ErrorCode::signature_invalid);

        // The right key id with the other algorithm.
        entry.manifest.algorithm = other;
        CHECK(samples::keyring(algorithm).verify(entry).error().code == ErrorCode::signature_invalid);
    }
}

TEST_CASE("the host and the loader agree on random signatures", "[package][keys]") {
    // A short r or s must not lose its leading zeros on the way from DER: each is short in 1 of 256
    // signatures.
    constexpr unsigned kAnyVerified = 200, kSignaturesMax = 50'000;
    const OpensslKey& key = samples::key();
    const Bytes point = *key.loader_bytes();
    const PublicKey loader_key{key.algorithm(), key.id(), point};
    unsigned short_r = 0, short_s = 0;
    for (unsigned i = 0; i < kAnyVerified || ((short_r == 0 || short_s == 0) && i < kSignaturesMax); ++i) {
        const Bytes message = samples::image(20, i);
        const auto signature = key.sign(message);
        REQUIRE(signature);
        REQUIRE(signature->size() == 64);
        const bool r = (*signature)[0] == 0, s = (*signature)[32] == 0;
        short_r += r ? 1 : 0;
        short_s += s ? 1 : 0;
        if (i >= kAnyVerified && !r && !s) continue;
        REQUIRE(key.verify(message, *signature));
        REQUIRE(verify_signature(loader_key, message, *signature) == Status::ok);
    }
    CHECK(short_r > 0);  // the chance of none is that of a broken key
    CHECK(short_s > 0);
}

TEST_CASE("key files that cannot be used say why", "[package][keys]") {
    const samples::Folder folder;
    const std::string private_pem = *samples::key().private_pem();
    const auto ring_error = [](std::string_view pem) { return Keyring{}.add_pem(pem, "k.pem"); };
    for (const std::string_view pem :
         {std::string_view{}, std::string_view{"garbage"}, std::string_view{private_pem},
          std::string_view{"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"}, kP384}) {
        const auto result = ring_error(pem);
        REQUIRE_FALSE(result);
        CHECK(result.error().code == ErrorCode::key_unreadable);
        CHECK_FALSE(result.error().next.empty());
    }
    CHECK(OpensslKey::from_private_pem(*samples::key().public_pem(), "k.pem").error().code ==
          ErrorCode::key_unreadable);
    CHECK(OpensslKey::from_private_pem("garbage", "k.pem").error().code == ErrorCode::key_unreadable);
    CHECK(Keyring{}.add_file(folder / "missing.pem").error().code == ErrorCode::not_found);
    REQUIRE(write_file(folder / "large.pem", Bytes(70000)));
    CHECK(Keyring{}.add_file(folder / "large.pem").error().code == ErrorCode::key_unreadable);
}

TEST_CASE("a key keeps its id and its use through PEM", "[package][keys]") {
    for (const SignatureAlgorithm algorithm : kBoth) {
        const OpensslKey& key = samples::key(algorithm);
        const auto again = OpensslKey::from_private_pem(*key.private_pem(), "k.pem");
        const auto only_public = OpensslKey::from_public_pem(*key.public_pem(), "k.pub.pem");
        REQUIRE(again);
        REQUIRE(only_public);
        CHECK(again->id() == key.id());
        CHECK(only_public->id() == key.id());
        const Bytes message = samples::image(10);
        CHECK(only_public->verify(message, *again->sign(message)));
        CHECK_FALSE(only_public->sign(message));  // no private half
        const Sha256Digest digest = sha256(key.public_der());
        CHECK(std::equal(key.id().begin(), key.id().end(), digest.begin()));
    }
}

TEST_CASE("adding a key twice keeps one", "[package][keys]") {
    Keyring ring = samples::keyring();
    CHECK(ring.add_pem(*samples::key().public_pem(), "again"));
    CHECK_FALSE(ring.empty());
    CHECK(Keyring{}.empty());
    CHECK(ring.verify(samples::package(samples::image(10)).entries[0]));
}
