// Building: the loader's decoder gets the image back, within the memory it has; the same input gives the same
// payload.
#include "mcu_flasher/package/builder.hpp"

#include <algorithm>
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

namespace {

/// A new image made of an old one: most is the same, some moved, some changed.
Bytes successor(const Bytes& old) {
    Bytes out = old;
    for (std::size_t at = 100; at < out.size(); at += 997)
        out[at] ^= 0x55;
    const Bytes inserted = samples::image(300, 9);
    out.insert(out.begin() + static_cast<std::ptrdiff_t>(out.size() / 2), inserted.begin(), inserted.end());
    return out;
}

BuildRequest request_with(std::vector<Base> bases) {
    BuildRequest request;
    request.hardware = "pump-3";
    request.version = "2.0.0";
    request.bases = std::move(bases);
    return request;
}

}  // namespace

TEST_CASE("a package tells the new image by every base that is worth it", "[package][builder]") {
    const Bytes old_1 = samples::image(40000, 1), old_2 = samples::image(30000, 2);
    const Bytes image = successor(old_1);
    const Bytes noise = random_bytes(40000);
    BuildRequest request = request_with({{old_1, "old-1.bin"},
                                         {noise, "noise.bin"},
                                         {image, "image.bin"},
                                         {old_1, "again.bin"},
                                         {old_2, "old-2.bin"}});
    std::vector<std::size_t> progress;
    request.delta_progress = [&](std::size_t done, std::size_t) { progress.push_back(done); };
    const auto built = build(image, request, samples::signer());
    REQUIRE(built);
    REQUIRE(parse(*serialize(built->package)));
    REQUIRE(built->bases.size() == 5);
    CHECK(built->bases[0].left_out.empty());
    CHECK(built->bases[1].left_out.find("the full image") != std::string::npos);
    CHECK(built->bases[2].left_out == "it is the new image itself");
    CHECK(built->bases[3].left_out == "it is the same image as old-1.bin");
    CHECK(progress.back() == 5 * kDeltaFormats.size());
    CHECK(std::is_sorted(progress.begin(), progress.end()));

    const Entry& entry = built->package.entries[0];
    CHECK(entry.manifest.payloads[0].base_size_bytes == 0);
    const PayloadEntry& delta = entry.manifest.payloads[1];
    CHECK(delta.size_bytes < entry.manifest.payloads[0].size_bytes);
    CHECK(delta.base_size_bytes == old_1.size());
    CHECK(delta.base_sha256 == sha256(old_1));
    CHECK(delta.memory_bytes != 0);
    CHECK(delta.memory_bytes <= kDecoderMemoryBytes);
    CHECK((*decode_image(entry, 1, old_1) == image));
    CHECK(decode_image(entry, 1).error().code == ErrorCode::no_fitting_payload);
    CHECK(decode_image(entry, 1, old_2).error().code == ErrorCode::payload_mismatch);
}

TEST_CASE("each delta format can be had by itself", "[package][builder]") {
    const Bytes old = samples::image(20000);
    const Bytes image = successor(old);
    std::size_t smallest = SIZE_MAX;
    for (const delta::Format format :
         {delta::Format::relocated, delta::Format::hdiffsf20, delta::Format::hdiff13}) {
        BuildRequest request = request_with({{old, "old.bin"}});
        request.delta_formats = {format};
        request.full = false;
        const auto package = build_package(image, request, samples::signer());
        REQUIRE(package);
        REQUIRE(package->entries[0].manifest.payload_count == 1);
        CHECK(package->entries[0].manifest.payloads[0].kind == delta::payload_kind(format));
        CHECK((*decode_image(package->entries[0], 0, old) == image));
        smallest = std::min(smallest, package->entries[0].payloads[0].size());
    }
    BuildRequest all = request_with({{old, "old.bin"}});
    all.delta_formats = {delta::Format::hdiff13, delta::Format::relocated, delta::Format::hdiffsf20};
    CHECK(build_package(image, all, samples::signer())->entries[0].payloads[1].size() == smallest);
}

TEST_CASE("the same bases give the same payloads and the same manifest", "[package][builder]") {
    const Bytes old = samples::image(20000);
    const Bytes image = successor(old);
    const auto once = build_package(image, request_with({{old, "a"}}), samples::signer());
    const auto twice = build_package(image, request_with({{old, "b"}}), samples::signer());
    REQUIRE((once && twice));
    CHECK(once->entries[0].manifest_bytes == twice->entries[0].manifest_bytes);
    CHECK(once->entries[0].payloads == twice->entries[0].payloads);
}

TEST_CASE("a package that would hold nothing is refused with the reasons", "[package][builder]") {
    const Bytes noise = random_bytes(3000), image = samples::image(3000);
    BuildRequest request = request_with({{noise, "noise.bin"}});
    request.full = false;
    const auto refused = build_package(image, request, samples::signer());
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::no_fitting_payload);
    CHECK(refused.error().what.find("noise.bin: the smallest delta takes") != std::string::npos);
}

TEST_CASE("deltas that no decoder memory is enough for are left out", "[package][builder]") {
    const Bytes old = samples::image(20000);
    BuildRequest request = request_with({{old, "old.bin"}});
    request.delta_formats = {delta::Format::relocated};
    request.memory_bytes_max = 1000;
    const auto built = build(successor(old), request, samples::signer());
    REQUIRE(built);
    CHECK(built->package.entries[0].manifest.payload_count == 1);
    CHECK(built->bases[0].left_out.find("decoder memory of 1000 bytes") != std::string::npos);
}

TEST_CASE("requirements and an authorised downgrade are in the signed manifest", "[package][builder]") {
    BuildRequest request = request_with({});
    request.security_counter = 3;
    request.downgrade_floor_max = 7;
    request.required = {"valve>=2.0.0", "fan-1>=1.10", "valve>=2.0.0"};
    const auto package = build_package(samples::image(100), request, samples::signer());
    REQUIRE(package);
    const auto again = parse(*serialize(*package));
    REQUIRE(again);
    const Manifest& manifest = again->entries[0].manifest;
    CHECK(manifest.downgrade_floor_max == 7);
    REQUIRE(manifest.requires_count == 2);
    CHECK(manifest.required[0].name.view() == "fan-1");
    CHECK(manifest.required[0].version.view() == "1.10");
    CHECK(manifest.required[1].name.view() == "valve");
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
        {"a requirement without version", [](BuildRequest& r, Bytes&) { r.required = {"fan>="}; },
         ErrorCode::usage},
        {"a requirement without sign", [](BuildRequest& r, Bytes&) { r.required = {"fan 1"}; },
         ErrorCode::usage},
        {"five requirements",
         [](BuildRequest& r, Bytes&) {
             r.required = {"a>=1", "b>=1", "c>=1", "d>=1", "e>=1"};
         },
         ErrorCode::usage},
        {"a downgrade that lowers nothing",
         [](BuildRequest& r, Bytes&) { r.security_counter = r.downgrade_floor_max = 4; }, ErrorCode::usage},
        {"a rotation that is none", [](BuildRequest& r, Bytes&) { r.rotations = {Bytes(10)}; },
         ErrorCode::package_malformed},
        {"an empty base",
         [](BuildRequest& r, Bytes&) {
             r.bases = {{{}, "empty.bin"}};
         },
         ErrorCode::usage},
        {"neither full image nor base", [](BuildRequest& r, Bytes&) { r.full = false; }, ErrorCode::usage},
        {"sixteen bases and the full image",
         [](BuildRequest& r, Bytes& i) {
             r.bases.assign(16, {i, "x"});
         },
         ErrorCode::usage},
        {"no delta format",
         [](BuildRequest& r, Bytes& i) {
             r.bases = {{i, "x"}};
             r.delta_formats.clear();
         },
         ErrorCode::usage},
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
    const auto refused = decode_image(entry, 0, {}, kDecoderMemoryBytes);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::memory_budget_exceeded);
    entry.payloads[0][0] = 225;  // no such properties
    CHECK(decode_image(entry, 0).error().code == ErrorCode::payload_mismatch);
}
