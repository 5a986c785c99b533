// Building: the loader's decoder gets the image back, within the memory it has; the same input gives the same
// payload.
#include "mcu_flasher/package/builder.hpp"

#include <catch2/catch.hpp>

#include "mcu_loader/core/little_endian.hpp"
#include "tests/unit/package/samples.hpp"

using namespace mcuota;
using namespace mcuota::package;

namespace {

Bytes random_bytes(std::size_t size) {
    std::mt19937 random(4);
    Bytes out(size);
    for (auto& byte : out)
        byte = static_cast<std::uint8_t>(random());
    return out;
}

}  // namespace

TEST_CASE("images of every kind and size come out of their package again", "[package][builder]") {
    for (const std::size_t size : {1U, 2U, 255U, 4096U, 70000U, 896U << 10}) {
        for (const Bytes& image : {samples::image(size), random_bytes(size), Bytes(size, 0xFF)}) {
            const Package package = samples::package(image);
            const auto decoded = decode_image(package.entries[0], 0);
            REQUIRE(decoded);
            CHECK((*decoded == image));
            CHECK(package.entries[0].payloads[0].size() <= image.size());  // raw when nothing is smaller
            CHECK(package.entries[0].manifest.payloads[0].memory_bytes <= kDecoderMemoryBytes);
        }
    }
}

TEST_CASE("what does not compress is sent raw", "[package][builder]") {
    const auto payload = encode_full(random_bytes(5000));
    REQUIRE(payload);
    CHECK(payload->kind == PayloadKind::raw);
}

TEST_CASE("a smaller memory gives a smaller dictionary, down to raw", "[package][builder]") {
    // Repetitions 10,000 and 40,000 bytes back: each is worth a dictionary that reaches it.
    Bytes image;
    for (unsigned seed = 0; image.size() < 40000; ++seed) {
        const Bytes part = samples::image(10000, seed);
        for (int twice = 0; twice < 2; ++twice)
            image.insert(image.end(), part.begin(), part.end());
    }
    const Bytes block = image;
    for (int again = 0; again < 3; ++again)
        image.insert(image.end(), block.begin(), block.end());
    std::size_t bytes_before = 0;
    for (const std::uint32_t memory : {96U << 10, 40U << 10, 20U << 10, 600U}) {
        const auto payload = encode_full(image, memory);
        REQUIRE(payload);
        CHECK(payload->memory_bytes <= memory);
        CHECK(payload->bytes.size() > bytes_before);
        CHECK((payload->kind == PayloadKind::raw) == (memory < 4096));
        bytes_before = payload->bytes.size();
    }
}

TEST_CASE("the same image gives the same payload", "[package][builder]") {
    const Bytes image = samples::image(30000);
    CHECK(encode_full(image)->bytes == encode_full(image)->bytes);
}

TEST_CASE("progress runs from nothing to everything", "[package][builder]") {
    std::vector<std::size_t> seen;
    std::size_t total = 0;
    REQUIRE(encode_full(samples::image(100), kDecoderMemoryBytes, [&](std::size_t done, std::size_t all) {
        seen.push_back(done);
        total = all;
    }));
    REQUIRE_FALSE(seen.empty());
    CHECK(seen.front() == 0);
    CHECK(seen.back() == total);
    CHECK(std::is_sorted(seen.begin(), seen.end()));
}

TEST_CASE("requests that make no package are refused", "[package][builder]") {
    struct Row {
        const char* name;
        void (*change)(BuildRequest&, Bytes&);
        ErrorCode code;
    };
    const Row rows[] = {
        {"empty image", [](BuildRequest&, Bytes& i) { i.clear(); }, ErrorCode::usage},
        {"image over 16 MiB", [](BuildRequest&, Bytes& i) { i.resize(kImageBytesMax + 1); },
         ErrorCode::image_too_large},
        {"no hardware", [](BuildRequest& r, Bytes&) { r.hardware.clear(); }, ErrorCode::usage},
        {"hardware too long", [](BuildRequest& r, Bytes&) { r.hardware.assign(33, 'x'); }, ErrorCode::usage},
        {"a space in the hardware", [](BuildRequest& r, Bytes&) { r.hardware = "pump 3"; }, ErrorCode::usage},
        {"no version", [](BuildRequest& r, Bytes&) { r.version.clear(); }, ErrorCode::usage},
        {"version too long", [](BuildRequest& r, Bytes&) { r.version.assign(65, '1'); }, ErrorCode::usage},
        {"a newline in the version", [](BuildRequest& r, Bytes&) { r.version = "1\n"; }, ErrorCode::usage},
    };
    for (const Row& row : rows) {
        BuildRequest request;
        request.hardware = "pump-3";
        request.version = "1.0.0";
        Bytes image = samples::image(10);
        row.change(request, image);
        const auto package = build_package(image, request, samples::signer());
        INFO(row.name);
        REQUIRE_FALSE(package);
        CHECK(package.error().code == row.code);
        CHECK_FALSE(package.error().next.empty());
    }
}

TEST_CASE("a payload that decodes to something else is refused", "[package][builder]") {
    const Bytes image = samples::image(5000);
    {
        Entry entry = samples::package(image).entries[0];
        entry.manifest.image_sha256[0] ^= 1;
        CHECK(decode_image(entry, 0).error().code == ErrorCode::payload_mismatch);
    }
    {
        Entry entry = samples::package(image).entries[0];
        --entry.manifest.image_size_bytes;
        CHECK(decode_image(entry, 0).error().code == ErrorCode::payload_mismatch);
    }
    {
        Entry entry = samples::package(image).entries[0];
        entry.payloads[0].pop_back();
        CHECK(decode_image(entry, 0).error().code == ErrorCode::payload_mismatch);
    }
    {
        Entry entry = samples::package(image).entries[0];
        entry.manifest.payloads[0].kind = PayloadKind::relocated;
        CHECK(decode_image(entry, 0).error().code == ErrorCode::payload_mismatch);
    }
}

TEST_CASE("LZMA properties beyond the budget are refused before anything is decoded", "[package][builder]") {
    Entry entry = samples::package(samples::image(5000)).entries[0];
    REQUIRE(entry.manifest.payloads[0].kind != PayloadKind::raw);
    // lc 8, lp 4: six megabytes of tables, and the manifest lies about it or admits it.
    entry.payloads[0][0] = 4 * 9 + 8;
    CHECK(decode_image(entry, 0).error().code == ErrorCode::payload_mismatch);
    entry.manifest.payloads[0].memory_bytes = 0xFFFFFFFF;
    const auto refused = decode_image(entry, 0, kDecoderMemoryBytes);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::memory_budget_exceeded);
    entry.payloads[0][0] = 225;  // no such properties
    CHECK(decode_image(entry, 0).error().code == ErrorCode::payload_mismatch);
}
