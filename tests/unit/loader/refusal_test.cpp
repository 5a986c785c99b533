// Packages that must not be installed: each is refused with its reason, in the application and in the loader,
// and the running image is not touched.
#include <catch2/catch.hpp>

#include "mcu_loader/core/crc32.hpp"
#include "mcu_loader/core/little_endian.hpp"
#include "test_device.hpp"

using namespace mcuota;
using namespace mcuota::test;

namespace {

const Bytes kOld = make_image(2100, 1);
const Bytes kNew = make_image(1900, 2);

struct Row {
    const char* name;
    void (*change)(PackageSpec& spec);
    Status expected;
    bool found_by_signature;  ///< an agent without keys lets it pass; the loader does not
};

const Row kRows[] = {
    {"signed by a stranger", [](PackageSpec& s) { s.key = &stranger_key(); }, Status::key_unknown, true},
    {"signed by a stranger who names our key",
     [](PackageSpec& s) {
         s.key = &stranger_key();
         s.change_manifest = [](Manifest& m) { m.key_id = trusted_key().public_key().id; };
     },
     Status::signature_invalid, true},
    {"a signature of zeros",
     [](PackageSpec& s) {
         s.change_signature = [](Bytes& b) { std::fill(b.begin(), b.end(), std::uint8_t{0}); };
     },
     Status::signature_invalid, true},
    {"a signature cut short", [](PackageSpec& s) { s.change_signature = [](Bytes& b) { b.resize(63); }; },
     Status::signature_invalid, true},
    {"another hardware", [](PackageSpec& s) { s.hardware = "test-board-2"; }, Status::wrong_hardware, false},
    {"another load address", [](PackageSpec& s) { s.load_address = 0x08040000; }, Status::wrong_load_address,
     false},
    {"an old security counter", [](PackageSpec& s) { s.security_counter = 1; }, Status::security_counter_old,
     false},
    {"an image larger than the area",
     [](PackageSpec& s) { s.change_manifest = [](Manifest& m) { m.image_size_bytes = 3000; }; },
     Status::image_too_large, false},
    {"the running image itself", [](PackageSpec& s) { s.image = kOld; }, Status::already_running, false},
    {"a payload the manifest does not list",
     [](PackageSpec& s) { s.change_manifest = [](Manifest& m) { --m.payloads[0].size_bytes; }; },
     Status::payload_not_listed, false},
    {"a payload with another hash",
     [](PackageSpec& s) { s.change_manifest = [](Manifest& m) { m.payloads[0].sha256[3] ^= 1; }; },
     Status::payload_hash_mismatch, false},
    {"a delta this loader does not decode", [](PackageSpec& s) { s.kind = PayloadKind::relocated; },
     Status::payload_unsupported, false},
};

/// Found only by decoding: the loader's rehearsal.
const Row kRehearsalRows[] = {
    {"a payload that decodes to something else",
     [](PackageSpec& s) { s.change_payload = [](Bytes& b) { b[1000] ^= 0x20; }; },
     Status::image_hash_mismatch, false},
    {"a payload that ends early",
     [](PackageSpec& s) { s.change_payload = [](Bytes& b) { b.resize(b.size() - 1); }; },
     Status::payload_malformed, false},
    {"a payload with bytes left over",
     [](PackageSpec& s) { s.change_payload = [](Bytes& b) { b.push_back(0); }; }, Status::payload_malformed,
     false},
    {"an LZMA stream cut short",
     [](PackageSpec& s) {
         s.kind = PayloadKind::lzma;
         s.change_payload = [](Bytes& b) { b.resize(b.size() - 40); };
     },
     Status::payload_malformed, false},
};

TestDevice prepared() {
    PackageSpec old;
    old.image = kOld;
    old.security_counter = 2;
    static const TestPackage package = make_package(old);
    return device_with(Geometry::small(), package);
}

TestPackage wrong_package(const Row& row) {
    PackageSpec spec;
    spec.image = kNew;
    spec.version = "2.0.0";
    spec.security_counter = 2;
    row.change(spec);
    if (spec.kind == PayloadKind::relocated) {
        spec.change_manifest = [](Manifest& m) {
            m.payloads[0].base_size_bytes = 2100, m.payloads[0].base_sha256 = sha256(kOld);
        };
    }
    return make_package(spec);
}

void check_untouched(TestDevice& device, const std::array<std::uint32_t, 2>& wear_before) {
    CHECK(device.holds(kOld));
    CHECK(device.flash.wear(Region::running, 0) == wear_before[0]);
    CHECK(device.flash.wear(Region::backup, 0) == wear_before[1]);
    const std::optional<device::LoaderEnd> end = device.start_loader();
    REQUIRE(end);
    CHECK(end->kind == device::LoaderEnd::Kind::boot);
    CHECK(device.flash.violation() == "");
}

void check_takes_next(TestDevice& device) {
    PackageSpec spec;
    spec.image = kNew;
    spec.version = "2.0.0";
    spec.security_counter = 2;
    const TestPackage good = make_package(spec);
    CHECK(device.perform({&good, 99, 300}).status == Status::ok);
    CHECK(device.holds(kNew));
}

}  // namespace

TEST_CASE("a wrong package is refused when it is complete, and nothing is touched", "[loader][refusal]") {
    for (const Row& row : kRows) {
        DYNAMIC_SECTION(row.name) {
            TestDevice device = prepared();
            const std::array wear{device.flash.wear(Region::running, 0),
                                  device.flash.wear(Region::backup, 0)};
            const TestPackage wrong = wrong_package(row);
            const JobEnd end = device.perform({&wrong, 50, 300});
            CHECK(static_cast<unsigned>(end.status) == static_cast<unsigned>(row.expected));
            CHECK(end.refused);
            CHECK(end.trouble == "");
            check_untouched(device, wear);
            check_takes_next(device);
        }
    }
}

TEST_CASE("what an application without keys lets pass, the loader refuses", "[loader][refusal]") {
    for (const Row& row : kRows) {
        if (!row.found_by_signature) {
            continue;
        }
        DYNAMIC_SECTION(row.name) {
            TestDevice device = prepared();
            device.agent_has_keys = false;
            const std::array wear{device.flash.wear(Region::running, 0),
                                  device.flash.wear(Region::backup, 0)};
            const TestPackage wrong = wrong_package(row);
            const JobEnd end = device.perform({&wrong, 50, 300});
            CHECK(static_cast<unsigned>(end.status) == static_cast<unsigned>(row.expected));
            CHECK_FALSE(end.refused);  // accepted, and told as the outcome of its token
            CHECK(end.trouble == "");
            check_untouched(device, wear);
            check_takes_next(device);
        }
    }
}

TEST_CASE("what only decoding can find is found by the rehearsal, before anything is touched",
          "[loader][refusal]") {
    for (const Row& row : kRehearsalRows) {
        DYNAMIC_SECTION(row.name) {
            TestDevice device = prepared();
            const std::array wear{device.flash.wear(Region::running, 0),
                                  device.flash.wear(Region::backup, 0)};
            const TestPackage wrong = wrong_package(row);
            const JobEnd end = device.perform({&wrong, 50, 300});
            CHECK(static_cast<unsigned>(end.status) == static_cast<unsigned>(row.expected));
            CHECK_FALSE(end.refused);
            CHECK(end.trouble == "");
            check_untouched(device, wear);
            check_takes_next(device);
        }
    }
}

TEST_CASE("LZMA that needs more memory than the loader has is refused from its header", "[loader][refusal]") {
    TestDevice device = prepared();
    device.product.decoder_memory_bytes = 8192;
    const Row row{"lzma", [](PackageSpec& s) { s.kind = PayloadKind::lzma; }, Status::memory_budget, false};
    const TestPackage wrong = wrong_package(row);
    const JobEnd end = device.perform({&wrong, 50, 300});
    CHECK(end.status == Status::memory_budget);
    CHECK(end.refused);
}

TEST_CASE("a payload that is not listed is taken when the manifest allows derived ones",
          "[loader][install]") {
    TestDevice device = prepared();
    const Row row{"derived",
                  [](PackageSpec& s) {
                      s.allow_derived = true;
                      s.change_manifest = [](Manifest& m) { m.payloads[0].sha256[0] ^= 1; };
                  },
                  Status::ok, false};
    const TestPackage derived = wrong_package(row);
    CHECK(device.perform({&derived, 50, 300}).status == Status::ok);
    CHECK(device.holds(kNew));
}

TEST_CASE("a staged package damaged after it was accepted is refused by the loader", "[loader][refusal]") {
    TestDevice device = prepared();
    const std::array wear{device.flash.wear(Region::running, 0), device.flash.wear(Region::backup, 0)};
    PackageSpec spec;
    spec.image = kNew;
    spec.security_counter = 2;
    const TestPackage good = make_package(spec);
    REQUIRE(device.accepts(good, 51));
    const std::span<std::uint8_t> raw = device.flash.raw(Region::download);
    const auto found = std::search(raw.begin(), raw.end(), kNew.begin() + 100, kNew.begin() + 132);
    REQUIRE(found != raw.end());
    *found ^= 0x01;
    CHECK(device.perform({&good, 51, 300}).status == Status::payload_hash_mismatch);
    check_untouched(device, wear);
    check_takes_next(device);
}
