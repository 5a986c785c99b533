// Choosing a payload for a device: what the device reports decides.
#include <catch2/catch.hpp>

#include "mcu_flasher/package/envelope.hpp"
#include "mcu_loader/core/crc32.hpp"
#include "mcu_loader/core/little_endian.hpp"
#include "mcu_loader/core/rotation.hpp"
#include "tests/unit/package/samples.hpp"

using namespace mcuota;
using namespace mcuota::package;

namespace {

constexpr std::string_view kHardware = "pump-3";

link::Identity device_for(const Entry& entry) {
    link::Identity device;
    device.hardware = entry.manifest.hardware;
    device.security_counter_floor = entry.manifest.security_counter;
    device.image_bytes_max = 896U << 10;
    device.load_address = entry.manifest.load_address;
    device.decoder_memory_bytes = 96U << 10;
    device.payload_kinds = 0x0E;  // raw, lzma, lzma_thumb
    device.download_bytes = 1U << 20;
    return device;
}

/// A payload of the entry with `size` bytes of any content; only choosing is tested here.
PayloadEntry add_payload(Entry& entry, PayloadKind kind, std::uint32_t size, std::uint32_t memory,
                         std::uint32_t base_size = 0) {
    PayloadEntry payload{kind, size, sha256(Bytes(size, 7)), base_size, {}, memory};
    if (base_size != 0) payload.base_sha256.fill(0xBA);
    entry.payloads.emplace_back(size, std::uint8_t{7});
    entry.manifest.payloads[entry.manifest.payload_count++] = payload;
    samples::sign_again(entry);
    return payload;
}

/// One entry with raw 1000, lzma 600 (80 kB), lzma_thumb 500 (90 kB) and a delta of 100 bytes.
Package choice() {
    Package package = samples::package(samples::image(1000), std::string(kHardware));
    Entry& entry = package.entries[0];
    entry.manifest.payload_count = 0;
    entry.payloads.clear();
    add_payload(entry, PayloadKind::raw, 1000, 512);
    add_payload(entry, PayloadKind::lzma, 600, 80000);
    add_payload(entry, PayloadKind::lzma_thumb, 500, 90000);
    add_payload(entry, PayloadKind::hdiff13, 100, 20000, 4242);
    return package;
}

}  // namespace

TEST_CASE("the smallest payload that fits is taken", "[package][envelope]") {
    const Package package = choice();
    const Entry& entry = package.entries[0];
    struct Row {
        const char* name;
        void (*change)(link::Identity&);
        bool full_only;
        PayloadKind expected;
    };
    const Row rows[] = {
        {"everything fits", [](link::Identity&) {}, false, PayloadKind::lzma_thumb},
        {"too little memory for the filter", [](link::Identity& d) { d.decoder_memory_bytes = 89999; }, false,
         PayloadKind::lzma},
        {"too little memory for LZMA", [](link::Identity& d) { d.decoder_memory_bytes = 79999; }, false,
         PayloadKind::raw},
        {"a loader that only knows raw", [](link::Identity& d) { d.payload_kinds = 0x02; }, false,
         PayloadKind::raw},
        {"a delta whose base runs",
         [](link::Identity& d) {
             d.payload_kinds = 0x7E;
             d.running = {1, 4242, {}, 0, {}};
             d.running.sha256.fill(0xBA);
         },
         false, PayloadKind::hdiff13},
        {"the same, but a full image is wanted",
         [](link::Identity& d) {
             d.payload_kinds = 0x7E;
             d.running = {1, 4242, {}, 0, {}};
             d.running.sha256.fill(0xBA);
         },
         true, PayloadKind::lzma_thumb},
        {"a delta whose base is damaged",
         [](link::Identity& d) {
             d.payload_kinds = 0x7E;
             d.running = {3, 4242, {}, 0, {}};
             d.running.sha256.fill(0xBA);
         },
         false, PayloadKind::lzma_thumb},
        {"a delta of another base",
         [](link::Identity& d) {
             d.payload_kinds = 0x7E;
             d.running = {1, 4242, {}, 0, {}};
         },
         false, PayloadKind::lzma_thumb},
        {"a delta the loader cannot decode",
         [](link::Identity& d) {
             d.running = {1, 4242, {}, 0, {}};
             d.running.sha256.fill(0xBA);
         },
         false, PayloadKind::lzma_thumb},
    };
    for (const Row& row : rows) {
        link::Identity device = device_for(entry);
        row.change(device);
        const auto envelope = envelope_for(package, device, row.full_only);
        INFO(row.name);
        REQUIRE(envelope);
        CHECK(envelope->kind == row.expected);
    }
}

TEST_CASE("an envelope has the documented form", "[package][envelope]") {
    const Package package = samples::package(samples::image(3000));
    const Entry& entry = package.entries[0];
    const auto envelope = envelope_for(package, device_for(entry));
    REQUIRE(envelope);
    const Bytes& b = envelope->bytes;
    CHECK(std::string(b.begin(), b.begin() + 4) == "MCE1");
    CHECK(load_u16(&b[4]) == entry.manifest_bytes.size());
    CHECK(load_u16(&b[6]) == entry.signature.size());
    CHECK(load_u32(&b[8]) == entry.payloads[0].size());
    CHECK(b[12] == static_cast<unsigned>(entry.manifest.payloads[0].kind));
    CHECK(load_u32(&b[12]) == b[12]);
    CHECK(load_u32(&b[16]) == 0);
    CHECK(load_u32(&b[20]) == crc32(std::span(b).first(20)));
    CHECK(b.size() == 24 + entry.manifest_bytes.size() + entry.signature.size() + entry.payloads[0].size());
    CHECK(std::equal(entry.manifest_bytes.begin(), entry.manifest_bytes.end(), b.begin() + 24));
    CHECK(std::equal(entry.payloads[0].rbegin(), entry.payloads[0].rend(), b.rbegin()));
    CHECK(envelope->package_id == sha256(b));
    CHECK(envelope->payload_bytes == entry.payloads[0].size());
}

TEST_CASE("a package that does not fit the device is refused with the reason", "[package][envelope]") {
    const Package package = choice();
    const Entry& entry = package.entries[0];
    struct Row {
        const char* name;
        void (*change)(link::Identity&, const Manifest&);
        ErrorCode code;
    };
    const Row rows[] = {
        {"other hardware", [](link::Identity& d, const Manifest&) { d.hardware.bytes[0] = 'x'; },
         ErrorCode::wrong_hardware},
        {"other address", [](link::Identity& d, const Manifest&) { d.load_address += 0x20000; },
         ErrorCode::wrong_hardware},
        {"counter too old",
         [](link::Identity& d, const Manifest& m) { d.security_counter_floor = m.security_counter + 1; },
         ErrorCode::security_counter_too_old},
        {"an authorised downgrade that does not reach so high",
         [](link::Identity& d, const Manifest& m) { d.security_counter_floor = m.security_counter + 11; },
         ErrorCode::security_counter_too_old},
        {"signed with another key than the device's current one",
         [](link::Identity& d, const Manifest&) { d.key_current.fill(7); }, ErrorCode::key_unknown},
        {"image too large",
         [](link::Identity& d, const Manifest& m) { d.image_bytes_max = m.image_size_bytes - 1; },
         ErrorCode::image_too_large},
        {"runs there, confirmed",
         [](link::Identity& d, const Manifest& m) {
             d.running = {1, m.image_size_bytes, m.image_sha256, 0, {}};
         },
         ErrorCode::nothing_to_do},
        {"no common kind", [](link::Identity& d, const Manifest&) { d.payload_kinds = 0; },
         ErrorCode::no_fitting_payload},
        {"no memory at all", [](link::Identity& d, const Manifest&) { d.decoder_memory_bytes = 0; },
         ErrorCode::no_fitting_payload},
        {"download region too small", [](link::Identity& d, const Manifest&) { d.download_bytes = 600; },
         ErrorCode::no_fitting_payload},
    };
    for (const Row& row : rows) {
        link::Identity device = device_for(entry);
        row.change(device, entry.manifest);
        const auto envelope = envelope_for(package, device);
        INFO(row.name);
        REQUIRE_FALSE(envelope);
        CHECK(envelope.error().code == row.code);
        CHECK_FALSE(envelope.error().what.empty());
        CHECK((row.code == ErrorCode::nothing_to_do || !envelope.error().next.empty()));
    }
}

TEST_CASE("an image on trial is not yet done", "[package][envelope]") {
    const Package package = choice();
    link::Identity device = device_for(package.entries[0]);
    const Manifest& m = package.entries[0].manifest;
    device.running = {2, m.image_size_bytes, m.image_sha256, 0, {}};
    CHECK(envelope_for(package, device));
}

TEST_CASE("every payload that fits is a candidate, the cheapest first; the others say what stands in the way",
          "[package][envelope]") {
    Package package = choice();
    Entry& entry = package.entries[0];
    add_payload(entry, PayloadKind::relocated, 60, 20000, 4242);
    add_payload(entry, PayloadKind::hdiffsf20, 80, 20000, 777);
    link::Identity device = device_for(entry);
    device.payload_kinds = 0x7E;
    device.running = {1, 4242, {}, 0, {}};
    device.running.sha256.fill(0xBA);
    struct Row {
        const char* name;
        void (*change)(link::Identity&);
        bool full_only;
        std::vector<PayloadKind> fitting;
        std::vector<std::pair<PayloadKind, const char*>> unfit;
    };
    using K = PayloadKind;
    const Row rows[] = {
        {"two deltas fit",
         [](link::Identity&) {},
         false,
         {K::relocated, K::hdiff13, K::lzma_thumb, K::lzma, K::raw},
         {{K::hdiffsf20, "another one runs"}}},
        {"a loader without our format",
         [](link::Identity& d) { d.payload_kinds = 0x3E; },
         false,
         {K::hdiff13, K::lzma_thumb, K::lzma, K::raw},
         {{K::relocated, "cannot decode this kind"}, {K::hdiffsf20, "another one runs"}}},
        {"another base of the two",
         [](link::Identity& d) { d.running.size_bytes = 777; },
         false,
         {K::hdiffsf20, K::lzma_thumb, K::lzma, K::raw},
         {{K::relocated, "another one runs"}, {K::hdiff13, "another one runs"}}},
        {"little memory",
         [](link::Identity& d) { d.decoder_memory_bytes = 30000; },
         false,
         {K::relocated, K::hdiff13, K::raw},
         {{K::hdiffsf20, "another one runs"},
          {K::lzma_thumb, "90000 bytes of memory"},
          {K::lzma, "80000 bytes of memory"}}},
        {"full only",
         [](link::Identity&) {},
         true,
         {K::lzma_thumb, K::lzma, K::raw},
         {{K::relocated, "full image"}, {K::hdiffsf20, "full image"}, {K::hdiff13, "full image"}}},
        {"a small download region",
         [](link::Identity& d) { d.download_bytes = 24 + 2048 + 64 + 60; },
         false,
         {K::relocated, K::hdiff13, K::lzma_thumb, K::lzma, K::raw},
         {{K::hdiffsf20, "another one runs"}}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        link::Identity here = device;
        row.change(here);
        const auto candidates = candidates_for(package, here, row.full_only);
        REQUIRE(candidates);
        CHECK(candidates->entry == &entry);
        std::vector<PayloadKind> fitting;
        for (const Candidate& candidate : candidates->fitting) {
            fitting.push_back(candidate.kind);
            CHECK(candidate.obstacle.empty());
            CHECK(candidate.envelope_bytes == make_envelope(entry, candidate.payload_index).bytes.size());
        }
        CHECK(fitting == row.fitting);
        REQUIRE(candidates->unfit.size() == row.unfit.size());
        for (std::size_t i = 0; i < row.unfit.size(); ++i) {
            CHECK(candidates->unfit[i].kind == row.unfit[i].first);
            CHECK_THAT(candidates->unfit[i].obstacle, Catch::Contains(row.unfit[i].second));
        }
    }
}

TEST_CASE("of payloads that cost the same the full image comes first, then the one that needs less memory",
          "[package][envelope]") {
    Package package = samples::package(samples::image(1000), std::string(kHardware));
    Entry& entry = package.entries[0];
    entry.manifest.payload_count = 0;
    entry.payloads.clear();
    add_payload(entry, PayloadKind::relocated, 100, 5000, 4242);
    add_payload(entry, PayloadKind::hdiff13, 100, 4000, 4242);
    add_payload(entry, PayloadKind::lzma, 100, 30000);
    link::Identity device = device_for(entry);
    device.payload_kinds = 0x7E;
    device.running = {1, 4242, {}, 0, {}};
    device.running.sha256.fill(0xBA);
    const auto candidates = candidates_for(package, device);
    REQUIRE(candidates);
    REQUIRE(candidates->fitting.size() == 3);
    CHECK(candidates->fitting[0].kind == PayloadKind::lzma);
    CHECK(candidates->fitting[1].kind == PayloadKind::hdiff13);
    CHECK(candidates->fitting[2].kind == PayloadKind::relocated);
}

TEST_CASE("which answers of a device leave room for another payload", "[package][envelope]") {
    for (const Status status : {Status::base_mismatch, Status::payload_unsupported, Status::payload_too_large,
                                Status::memory_budget, Status::payload_malformed,
                                Status::payload_hash_mismatch, Status::image_hash_mismatch})
        CHECK(refuses_payload(status));
    for (const Status status : {Status::ok, Status::signature_invalid, Status::wrong_hardware,
                                Status::security_counter_old, Status::flash_program_failed, Status::busy,
                                Status::trial_not_confirmed, Status::package_incomplete})
        CHECK_FALSE(refuses_payload(status));
}

TEST_CASE("an authorised downgrade is offered to the floors it names, not to higher ones",
          "[package][envelope]") {
    Package package = choice();
    Manifest& manifest = package.entries[0].manifest;
    manifest.downgrade_floor_max = manifest.security_counter + 4;
    link::Identity device = device_for(package.entries[0]);
    device.security_counter_floor = manifest.security_counter + 4;
    CHECK(candidates_for(package, device, false));
    ++device.security_counter_floor;
    const auto refused = candidates_for(package, device, false);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::security_counter_too_old);
}

TEST_CASE("a package of the device's current key passes", "[package][envelope]") {
    Package package = choice();
    Entry& entry = package.entries[0];
    link::Identity device = device_for(entry);
    device.key_current = entry.manifest.key_id;
    CHECK(candidates_for(package, device));
}

TEST_CASE("a device is given the key rotations it has not taken, in order", "[package][envelope]") {
    Package package = choice();
    for (std::uint16_t generation = 2; generation <= 4; ++generation) {
        RotationRecord record;
        record.generation = generation;
        const Bytes key(256, 0x81);
        record.algorithm = SignatureAlgorithm::rsa_2048_pkcs1_sha256;
        record.next_key = key;
        Bytes bytes(kRotationBytesMax);
        const std::size_t size = encode_rotation(record, 64, bytes);
        REQUIRE(size != 0);
        bytes.resize(size + 64);
        package.rotations.push_back(bytes);
    }
    link::Identity device = device_for(package.entries[0]);
    device.key_current = package.entries[0].manifest.key_id;
    const std::pair<std::uint16_t, std::size_t> rows[] = {{0, 3}, {1, 3}, {2, 2}, {3, 1}, {4, 0}, {8, 0}};
    for (const auto& [generation, count] : rows) {
        INFO(generation);
        device.key_generation = generation;
        const std::vector<Bytes> missing = rotations_for(package, device);
        REQUIRE(missing.size() == count);
        CHECK(std::equal(missing.rbegin(), missing.rend(), package.rotations.rbegin()));
    }
    device.key_generation = 0;
    device.key_current = {};
    CHECK(rotations_for(package, device).empty());
}
