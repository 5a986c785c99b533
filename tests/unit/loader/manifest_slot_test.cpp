// Manifest slots: what is not whole and sealed is never read as one, and every failure of the memory is told.
#include <catch2/catch.hpp>

#include "forging.hpp"
#include "mcu_loader/core/crc32.hpp"
#include "mcu_loader/core/little_endian.hpp"

using namespace mcuota;
using namespace mcuota::test;
using device::SignedManifest;
using device::Slot;

namespace {

constexpr std::uint32_t kSlotBegin = 1024;  // Geometry::small()
constexpr std::size_t kHeaderBytes = 16;

const TestPackage& package() {
    static const TestPackage made = [] {
        PackageSpec spec;
        spec.image = make_image(700, 1);
        return make_package(spec);
    }();
    return made;
}

FlashModel with_slot() {
    FlashModel flash{Geometry::small()};
    REQUIRE(store_slot(flash, Slot::b, signed_manifest_of(package())) == Status::ok);
    return flash;
}

Status load(FlashModel& flash, Slot slot = Slot::b) {
    SignedManifest out;
    return load_slot(flash, slot, nullptr, out);
}

/// Puts the header's CRC right after a change.
void seal_header(std::span<std::uint8_t> slot) {
    store_u32(&slot[12], crc32(slot.first(12)));
}

}  // namespace

TEST_CASE("a manifest slot gives back what was stored", "[loader][slot]") {
    FlashModel flash = with_slot();
    SignedManifest out;
    REQUIRE(load_slot(flash, Slot::b, nullptr, out) == Status::ok);
    const SignedManifest stored = signed_manifest_of(package());
    CHECK(std::equal(out.all_bytes().begin(), out.all_bytes().end(), stored.all_bytes().begin(),
                     stored.all_bytes().end()));
    CHECK(out.manifest.image_sha256 == package().image_sha256);
    CHECK(flash.violation() == "");
}

TEST_CASE("a slot that is not whole and sealed holds no manifest", "[loader][slot]") {
    struct Row {
        const char* name;
        void (*change)(std::span<std::uint8_t> slot);
    };
    const Row row = GENERATE(
        Row{"blank", [](std::span<std::uint8_t> s) { std::fill(s.begin(), s.end(), std::uint8_t{0xFF}); }},
        Row{"spoiled", [](std::span<std::uint8_t> s) { std::fill(s.begin(), s.end(), std::uint8_t{0}); }},
        Row{"another magic, sealed", [](std::span<std::uint8_t> s) { s[0] ^= 1, seal_header(s); }},
        Row{"a header with another CRC", [](std::span<std::uint8_t> s) { s[13] ^= 1; }},
        Row{"a manifest longer than any, sealed",
            [](std::span<std::uint8_t> s) { s[4] = 0x01, s[5] = 0x08, seal_header(s); }},
        Row{"a signature longer than any, sealed",
            [](std::span<std::uint8_t> s) { s[6] = 0x01, s[7] = 0x01, seal_header(s); }},
        Row{"a bit changed in the manifest", [](std::span<std::uint8_t> s) { s[kHeaderBytes + 9] ^= 4; }},
        Row{"no manifest, sealed", [](std::span<std::uint8_t> s) {
                s[kHeaderBytes] ^= 0xFF;
                const std::size_t content = std::size_t{s[4]} + s[5] * 256U + s[6] + s[7] * 256U;
                store_u32(&s[8], crc32(s.subspan(kHeaderBytes, content)));
                seal_header(s);
            }});
    INFO(row.name);
    FlashModel flash = with_slot();
    row.change(flash.raw(Region::flag_b).subspan(kSlotBegin, 1024));
    CHECK(load(flash) == Status::manifest_malformed);
    CHECK(load(flash, Slot::none) == Status::manifest_malformed);
    CHECK(load(flash, Slot::a) == Status::manifest_malformed);  // never written
}

TEST_CASE("a slot that cannot be read says why, at the header as in the manifest", "[loader][slot]") {
    const unsigned failing = GENERATE(0U, 1U);
    FlashModel flash = with_slot();
    unsigned reads = 0;
    flash.set_read_fault([&](Region, std::uint32_t, std::span<std::uint8_t>) {
        return reads++ == failing ? Status::nor_timeout : Status::ok;
    });
    CHECK(load(flash) == Status::nor_timeout);
}

TEST_CASE("a slot that cannot be written says why, and holds nothing", "[loader][slot]") {
    FlashModel counter{Geometry::small()};
    REQUIRE(store_slot(counter, Slot::b, signed_manifest_of(package())) == Status::ok);
    REQUIRE(counter.operations() >= 3);
    for (std::uint64_t failing = 0; failing < counter.operations(); ++failing) {
        CAPTURE(failing);
        FlashModel flash{Geometry::small()};
        std::uint64_t operations = 0;
        flash.set_fault([&](Region, bool erase, std::uint32_t) {
            const Status fault = erase ? Status::nor_timeout : Status::nor_verify_failed;
            return operations++ == failing ? fault : Status::ok;
        });
        CHECK(store_slot(flash, Slot::b, signed_manifest_of(package())) ==
              (failing == 0 ? Status::nor_timeout : Status::nor_verify_failed));
        CHECK(load(flash) == Status::manifest_malformed);
    }
}

TEST_CASE("what fits in no slot is not written anywhere", "[loader][slot]") {
    FlashModel flash{Geometry::small()};
    CHECK(store_slot(flash, Slot::none, signed_manifest_of(package())) == Status::out_of_range);
    SignedManifest large;
    large.manifest_bytes = 900;
    large.signature_bytes = 109;  // one byte too many for 1024 with the header
    CHECK(store_slot(flash, Slot::a, large) == Status::out_of_range);
    CHECK(flash.operations() == 0);
    large.signature_bytes = 108;
    CHECK(store_slot(flash, Slot::a, large) == Status::ok);
    CHECK(flash.violation() == "");
}
