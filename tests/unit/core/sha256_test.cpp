// SHA-256 against the FIPS 180-4 examples and OpenSSL.
#include "mcu_loader/core/sha256.hpp"

#include <openssl/sha.h>

#include <catch2/catch.hpp>
#include <random>
#include <string_view>
#include <vector>

using namespace mcuota;

namespace {

Sha256Digest openssl_sha256(std::span<const std::uint8_t> bytes) {
    Sha256Digest out{};
    SHA256(bytes.data(), bytes.size(), out.data());
    return out;
}

}  // namespace

TEST_CASE("sha256 gives the digest of the standard's example", "[core]") {
    constexpr std::string_view kText = "abc";
    const std::vector<std::uint8_t> bytes(kText.begin(), kText.end());
    const Sha256Digest digest = sha256(bytes);
    CHECK(digest[0] == 0xBA);
    CHECK(digest[1] == 0x78);
    CHECK(digest[31] == 0xAD);
}

TEST_CASE("sha256 agrees with OpenSSL for every length up to three blocks and in any pieces", "[core]") {
    std::mt19937 random(1);
    std::vector<std::uint8_t> bytes(193);
    for (auto& byte : bytes)
        byte = static_cast<std::uint8_t>(random());
    for (std::size_t size = 0; size <= bytes.size(); ++size) {
        const std::span<const std::uint8_t> message(bytes.data(), size);
        REQUIRE(sha256(message) == openssl_sha256(message));
        const std::size_t cut = size == 0 ? 0 : random() % size;
        Sha256 running;
        running.update(message.first(cut));
        REQUIRE(running.digest() == openssl_sha256(message.first(cut)));
        running.update(message.subspan(cut));
        REQUIRE(running.digest() == openssl_sha256(message));
    }
}

TEST_CASE("a copy of a running sha256 goes on by itself", "[core]") {
    const std::vector<std::uint8_t> a(70, 0x11);
    const std::vector<std::uint8_t> b(70, 0x22);
    Sha256 first;
    first.update(a);
    Sha256 second = first;
    first.update(a);
    second.update(b);
    std::vector<std::uint8_t> ab = a;
    ab.insert(ab.end(), b.begin(), b.end());
    CHECK(second.digest() == sha256(ab));
    CHECK(first.digest() != second.digest());
}

TEST_CASE("sha256 agrees with OpenSSL for long input", "[core]") {
    std::mt19937 random(2);
    std::vector<std::uint8_t> bytes(1'000'003);
    for (auto& byte : bytes)
        byte = static_cast<std::uint8_t>(random());
    CHECK(sha256(bytes) == openssl_sha256(bytes));
}
