// Deltas of all formats between all sorts of files come back as they were.

#include <catch2/catch.hpp>
#include <cstdlib>

#include "tests/unit/delta/samples.hpp"

namespace mcuota::delta::test {
namespace {

struct Pair {
    std::string name;
    Bytes old_image, new_image;
};

Bytes changed(Bytes image, std::size_t at) {
    image[at] = static_cast<std::uint8_t>(image[at] ^ 0x55U);
    return image;
}

Bytes without(Bytes image, std::size_t at, std::size_t count) {
    image.erase(image.begin() + static_cast<std::ptrdiff_t>(at),
                image.begin() + static_cast<std::ptrdiff_t>(at + count));
    return image;
}

std::vector<Pair> pairs() {
    const Bytes code = firmware(0x08020000, 600), grown = firmware(0x08020000, 600, {7, 120, 121, 480});
    const Bytes noise = random_bytes(20000, 3);
    Bytes twice = noise;
    twice.insert(twice.end(), noise.begin(), noise.end());
    Bytes added = noise;
    for (std::size_t i = 0; i < added.size(); i += 3)
        added[i] = static_cast<std::uint8_t>(added[i] + 255);  // runs of every kind in HDIFF13
    return {{"nothing from nothing", {}, {}},
            {"nothing from something", code, {}},
            {"something from nothing", {}, code},
            {"equal", code, code},
            {"one byte", {}, {0x42}},
            {"one byte from one byte", {0x41}, {0x42}},
            {"two equal bytes", {0x41, 0x42}, {0x41, 0x42}},
            {"one byte changed", code, changed(code, 1001)},
            {"the last byte changed", code, changed(code, code.size() - 1)},
            {"the last bytes gone", code, without(code, code.size() - 3, 3)},
            {"one byte fewer in front", code, without(code, 0, 1)},
            {"three bytes fewer inside", code, without(code, 5001, 3)},
            {"grown functions", code, grown},
            {"shrunk functions", grown, code},
            {"unrelated", code, noise},
            {"all zero from noise", noise, Bytes(30001, 0)},
            {"noise from all zero", Bytes(30001, 0), noise},
            {"twice", noise, twice},
            {"half", twice, noise},
            {"every third byte one less", noise, added}};
}

}  // namespace

TEST_CASE("any pair of files comes back from a delta of any format", "[delta]") {
    for (const Pair& pair : pairs()) {
        for (const Format format : kAllFormats) {
            INFO(pair.name << ", " << to_string(format));
            const auto delta = encode(format, pair.old_image, pair.new_image);
            REQUIRE(delta.ok());
            CHECK(recognise(delta->bytes) == format);
            CHECK(delta->memory_bytes <= memory_bytes_default(format));
            const auto again = decode(pair.old_image, delta->bytes);
            REQUIRE(again.ok());
            CHECK(*again == pair.new_image);
        }
    }
}

TEST_CASE("sizes around blocks and windows come back", "[delta]") {
    const Bytes code = firmware(0x08000000, 60);
    for (std::size_t size = 1; size < 300; size += size < 80 ? 1 : 7) {
        const Bytes from(code.begin(), code.begin() + static_cast<std::ptrdiff_t>(size + 5));
        const Bytes to(code.begin() + 2, code.begin() + static_cast<std::ptrdiff_t>(size + 2));
        for (const Format format : kAllFormats) {
            INFO(size << " bytes, " << to_string(format));
            const auto delta = encode(format, from, to);
            REQUIRE(delta.ok());
            CHECK(*decode(from, delta->bytes) == to);
        }
    }
}

TEST_CASE("a mebibyte of noise grows by less than a thousandth where it may be stored raw", "[delta]") {
    const Bytes noise = random_bytes(1 << 20, 9);
    for (const Format format : {Format::hdiffsf20, Format::hdiff13}) {
        const auto delta = encode(format, {}, noise);
        REQUIRE(delta.ok());
        CHECK(delta->bytes.size() < noise.size() + noise.size() / 1000);
    }
}

TEST_CASE("noise and other noise make a delta of any format, however useless", "[delta]") {
#ifdef __SANITIZE_ADDRESS__
    constexpr std::size_t kSize = 1 << 16;  // the sanitizers make the search for what is not there very slow
#else
    constexpr std::size_t kSize = 1 << 18;
#endif
    const Bytes from = random_bytes(kSize, 21), to = random_bytes(kSize, 22);
    for (const Format format : kAllFormats) {
        INFO(to_string(format));
        const auto delta = encode(format, from, to);
        REQUIRE(delta.ok());
        CHECK(*decode(from, delta->bytes) == to);
        CHECK(delta->bytes.size() < to.size() + to.size() / 50);
    }
}

TEST_CASE("sixteen mebibytes of files with much in common come back", "[delta]") {
    Bytes from = random_bytes(1 << 16, 4);
    from.resize(16U << 20, 0x20);
    std::copy_n(from.begin(), 1 << 16, from.begin() + (9 << 20));
    Bytes to = from;
    to.insert(to.begin() + (8 << 20), 77, 0x33);
    to.resize(16U << 20);
    for (const Format format : kAllFormats) {
        INFO(to_string(format));
        const auto delta = encode(format, from, to);
        REQUIRE(delta.ok());
        CHECK(delta->bytes.size() < 100'000);
    }
}

TEST_CASE("the same pair makes the same delta", "[delta]") {
    const Bytes code = firmware(0x08020000, 300), grown = firmware(0x08020000, 300, {9});
    for (const Format format : kAllFormats)
        CHECK(encode(format, code, grown)->bytes == encode(format, code, grown)->bytes);
}

TEST_CASE("moved code costs our format less than half of what it costs bytewise formats", "[delta]") {
    const Bytes code = firmware(0x08020000, 2000), grown = firmware(0x08020000, 2000, {100, 900, 1500});
    const auto ours = encode(Format::relocated, code, grown), theirs = encode(Format::hdiffsf20, code, grown);
    REQUIRE((ours.ok() && theirs.ok()));
    CHECK(ours->bytes.size() * 2 < theirs->bytes.size());
}

TEST_CASE("the load address is found by itself", "[delta]") {
    for (const std::uint32_t address : {0x08000000U, 0x08020000U, 0x00400000U, 0x10010400U})
        CHECK(guess_load_address(firmware(address, 400)) == address);
    CHECK_FALSE(guess_load_address(random_bytes(60000, 5)).has_value());
    CHECK_FALSE(guess_load_address({}).has_value());
    CHECK_FALSE(guess_load_address(Bytes(3, 1)).has_value());
}

TEST_CASE("a given load address is taken", "[delta]") {
    const Bytes code = firmware(0x20000000, 500), grown = firmware(0x20000000, 500, {40, 300});
    const auto right =
        encode(Format::relocated, code, grown, {.load_address = 0x20000000U, .memory_bytes_max = {}});
    const auto wrong =
        encode(Format::relocated, code, grown, {.load_address = 0x50000000U, .memory_bytes_max = {}});
    REQUIRE((right.ok() && wrong.ok()));
    CHECK(right->bytes.size() < wrong->bytes.size());
}

TEST_CASE("a smaller decoder may be asked for, down to a clear no", "[delta]") {
    const Bytes code = firmware(0x08020000, 800), grown = firmware(0x08020000, 800, {40, 300});
    for (const Format format : kAllFormats) {
        INFO(to_string(format));
        const std::uint32_t less = memory_bytes_default(format) * 3 / 4;
        const auto smaller = encode(format, code, grown, {.load_address = {}, .memory_bytes_max = less});
        REQUIRE(smaller.ok());
        CHECK(smaller->memory_bytes <= less);
        const auto none = encode(format, code, grown, {.load_address = {}, .memory_bytes_max = 100});
        REQUIRE_FALSE(none.ok());
        CHECK(none.error().code == ErrorCode::memory_budget_exceeded);
    }
}

TEST_CASE("names of formats are those of the options", "[delta]") {
    for (const Format format : kAllFormats)
        CHECK(format_from_string(to_string(format)) == format);
    CHECK(format_from_string("mcuota") == Format::relocated);
    CHECK_FALSE(format_from_string("bsdiff").has_value());
    CHECK_FALSE(recognise(Bytes{'H', 'D', 'I', 'F', 'F', '1', '9', '&'}).has_value());
}

}  // namespace mcuota::delta::test
