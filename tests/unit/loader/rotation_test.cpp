// Keys that rotate: who may sign what at which generation, what is refused, what survives damage.
#include <catch2/catch.hpp>
#include <memory>

#include "mcu_loader/core/crc32.hpp"
#include "mcu_loader/core/little_endian.hpp"
#include "test_device.hpp"

using namespace mcuota;
using namespace mcuota::test;
using device::AgentTarget;

namespace {

constexpr SignatureAlgorithm kRsa = SignatureAlgorithm::rsa_2048_pkcs1_sha256;

const Bytes kOld = make_image(2100, 1);
const Bytes kNew = make_image(1900, 2);
const Bytes kThird = make_image(700, 3);

TestPackage package_of(const Bytes& image, const char* version, const TestKey& key,
                       std::uint32_t counter = 1) {
    PackageSpec spec;
    spec.image = image;
    spec.version = version;
    spec.key = &key;
    spec.security_counter = counter;
    return make_package(spec);
}

/// Runs kOld, signed by the built-in current key.
TestDevice fresh_device() {
    static const TestDevice device = device_with(Geometry::small(), package_of(kOld, "1.0.0", trusted_key()));
    return TestDevice{device};
}

/// Hands `record` to the application; what it answers and the generation it tells.
Status rotate(TestDevice& device, const Bytes& record, std::uint16_t& generation) {
    Status status = Status::in_progress;
    REQUIRE(device.as_agent([&](AgentTarget& target) { status = target.rotate(record, generation); }) ==
            Power::End::finished);
    return status;
}

void expect_rotated(TestDevice& device, const Bytes& record, std::uint16_t wanted) {
    std::uint16_t generation = 0;
    REQUIRE(rotate(device, record, generation) == Status::ok);
    REQUIRE(generation == wanted);
}

link::Identity identity_of(TestDevice& device) {
    link::Identity identity;
    REQUIRE(device.as_agent([&](AgentTarget& target) { target.identity(identity); }) == Power::End::finished);
    return identity;
}

std::span<std::uint8_t> key_area(TestDevice& device, Region region) {
    const device::FlagLayout layout = device::flag_layout(device.flash, region);
    return device.flash.raw(region).subspan(layout.keys_begin, layout.keys_bytes);
}

const Bytes& first_record() {
    static const Bytes record = make_rotation(next_key(), third_key(), 1);
    return record;
}
const Bytes& second_record() {
    static const Bytes record = make_rotation(third_key(), fourth_key(), 2);
    return record;
}

}  // namespace

TEST_CASE("a rotation makes the next key current and retires the current one for new packages",
          "[loader][rotation]") {
    TestDevice device = fresh_device();
    CHECK(identity_of(device).key_generation == 0);
    CHECK(identity_of(device).key_current == trusted_key().public_key().id);
    CHECK(identity_of(device).key_next == next_key().public_key().id);
    const TestPackage early = package_of(kNew, "2.0.0", next_key());
    CHECK(device.perform({&early, 5, 300}).status == Status::key_unknown);

    expect_rotated(device, first_record(), 1);
    CHECK(identity_of(device).key_generation == 1);
    CHECK(identity_of(device).key_current == next_key().public_key().id);
    CHECK(identity_of(device).key_next == third_key().public_key().id);
    const TestPackage retired = package_of(kNew, "2.0.0", trusted_key());
    CHECK(device.perform({&retired, 6, 300}).status == Status::key_unknown);
    const TestPackage good = package_of(kNew, "2.0.0", next_key());
    CHECK(device.perform({&good, 7, 300}).status == Status::ok);
    CHECK(device.holds(kNew));
    const TestPackage early_again = package_of(kThird, "3.0.0", third_key());
    CHECK(device.perform({&early_again, 8, 300}).status == Status::key_unknown);
    CHECK(device.flash.violation().empty());
}

TEST_CASE("what a retired key signed starts and is put back as before", "[loader][rotation]") {
    TestDevice device = fresh_device();
    expect_rotated(device, first_record(), 1);
    expect_rotated(device, second_record(), 2);
    auto end = device.start_loader();
    REQUIRE(end);
    CHECK(end->kind == device::LoaderEnd::Kind::boot);  // signed two generations ago

    TestPackage bad = package_of(kNew, "2.0.0", third_key());
    device.applications.emplace_back(bad.image_sha256, Application::never_confirms);
    CHECK(device.perform({&bad, 7, 300}).status == Status::trial_not_confirmed);
    CHECK(device.holds(kOld));
    const TestPackage good = package_of(kThird, "3.0.0", third_key());
    CHECK(device.perform({&good, 8, 300}).status == Status::ok);
    CHECK(device.perform({nullptr, 9, 300}).status == Status::rolled_back);
    CHECK(device.holds(kOld));
    device.flash.raw(Region::running)[100] ^= 1;
    end = device.start_loader();
    REQUIRE(end);
    CHECK(end->kind == device::LoaderEnd::Kind::boot);  // mended from the backup
    CHECK(device.holds(kOld));
}

TEST_CASE("a rotation during a trial harms neither trial nor backup", "[loader][rotation]") {
    TestDevice device = fresh_device();
    const TestPackage package = package_of(kNew, "2.0.0", trusted_key());
    const bool confirms = GENERATE(true, false);
    device.applications.emplace_back(package.image_sha256, Application::never_confirms);
    REQUIRE(device.as_agent([&](AgentTarget& target) {
        link::Held held;
        REQUIRE(target.offer(package.offer(), held) == Status::ok);
        REQUIRE(target.write(0, package.envelope) == Status::ok);
        REQUIRE(target.install(3) == Status::ok);
    }) == Power::End::finished);
    REQUIRE(device.start_loader(kCauseSoftware));
    expect_rotated(device, first_record(), 1);
    if (confirms) {
        REQUIRE(device.as_agent([&](AgentTarget& target) { CHECK(target.confirm() == Status::ok); }) ==
                Power::End::finished);
    }
    for (int start = 0; start < 5; ++start) {
        const auto end = device.start_loader(kCauseWatchdog);
        REQUIRE(end);
        CHECK(end->kind == device::LoaderEnd::Kind::boot);
    }
    CHECK(device.holds(confirms ? kNew : kOld));
    CHECK(identity_of(device).key_generation == 1);
}

TEST_CASE("records that do not follow are refused and change nothing", "[loader][rotation]") {
    TestDevice device = fresh_device();
    expect_rotated(device, first_record(), 1);
    Bytes forged = second_record();
    forged.back() ^= 1;
    Bytes longer = second_record();
    longer.push_back(0);
    struct Row {
        const char* name;
        Bytes record;
        Status status;
    };
    const Row rows[] = {
        {"a signature that fails", forged, Status::signature_invalid},
        {"signed by the retired key", make_rotation(trusted_key(), fourth_key(), 2), Status::key_unknown},
        {"signed by the current key", make_rotation(next_key(), fourth_key(), 2), Status::key_unknown},
        {"signed by a stranger", make_rotation(stranger_key(), fourth_key(), 2), Status::key_unknown},
        {"a gap", make_rotation(third_key(), fourth_key(), 3), Status::wrong_state},
        {"another record of a generation in force", make_rotation(next_key(), fourth_key(), 1),
         Status::wrong_state},
        {"brings the retired key back", make_rotation(third_key(), trusted_key(), 2),
         Status::malformed_request},
        {"brings its own key", make_rotation(third_key(), third_key(), 2), Status::malformed_request},
        {"a trailing byte", longer, Status::malformed_request},
        {"nothing", {}, Status::malformed_request},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const std::uint64_t operations = device.flash.operations();
        std::uint16_t generation = 99;
        CHECK(rotate(device, row.record, generation) == row.status);
        CHECK(generation == 99);
        CHECK(device.flash.operations() == operations);
        CHECK(identity_of(device).key_generation == 1);
    }
    expect_rotated(device, second_record(), 2);
}

TEST_CASE("a record in force already is ok again and writes nothing", "[loader][rotation]") {
    TestDevice device = fresh_device();
    expect_rotated(device, first_record(), 1);
    expect_rotated(device, second_record(), 2);
    const std::uint64_t operations = device.flash.operations();
    expect_rotated(device, first_record(), 2);
    expect_rotated(device, second_record(), 2);
    CHECK(device.flash.operations() == operations);
}

TEST_CASE("nobody rotates keys while an installation waits, and what was checked is checked again",
          "[loader][rotation]") {
    TestDevice device = fresh_device();
    const TestPackage package = package_of(kNew, "2.0.0", trusted_key());
    REQUIRE(device.as_agent([&](AgentTarget& target) {
        link::Held held;
        std::uint16_t generation = 0;
        REQUIRE(target.offer(package.offer(), held) == Status::ok);
        REQUIRE(target.write(0, package.envelope) == Status::ok);
        CHECK(target.finish() == Status::ok);
        CHECK(target.rotate(first_record(), generation) == Status::ok);
        CHECK(target.install(3) == Status::key_unknown);
        const TestPackage signed_anew = package_of(kNew, "2.0.0", next_key());
        REQUIRE(target.offer(signed_anew.offer(), held) == Status::ok);
        REQUIRE(target.write(0, signed_anew.envelope) == Status::ok);
        CHECK(target.install(3) == Status::ok);
        CHECK(target.rotate(second_record(), generation) == Status::busy);
        CHECK(target.rotate(first_record(), generation) == Status::busy);
    }) == Power::End::finished);
}

TEST_CASE("eight rotations fit, the ninth cannot be expressed, with keys of either kind",
          "[loader][rotation]") {
    const bool rsa = GENERATE(false, true);
    TestDevice device = fresh_device();
    std::vector<std::unique_ptr<TestKey>> keys;
    const TestKey* signer = &next_key();
    for (std::uint16_t generation = 1; generation <= kRotationsMax; ++generation) {
        keys.push_back(rsa ? std::make_unique<TestKey>(kRsa) : std::make_unique<TestKey>());
        expect_rotated(device, make_rotation(*signer, *keys.back(), generation), generation);
        signer = keys.back().get();
    }
    CHECK(identity_of(device).key_generation == kRotationsMax);
    CHECK(identity_of(device).key_next == signer->public_key().id);
    const TestPackage package = package_of(kNew, "2.0.0", *keys[kRotationsMax - 2]);
    CHECK(device.perform({&package, 7, 300}).status == Status::ok);
    CHECK(device.holds(kNew));
    const auto end = device.start_loader();
    REQUIRE(end);
    CHECK(end->kind == device::LoaderEnd::Kind::boot);
    CHECK(device.flash.violation().empty());
}

TEST_CASE("one damaged copy of the records is no loss, and the second copy is made whole again",
          "[loader][rotation]") {
    const bool named_copy = GENERATE(true, false);
    const std::size_t at = GENERATE(std::size_t{0}, std::size_t{30}, std::size_t{158}, std::size_t{200});
    TestDevice device = fresh_device();
    expect_rotated(device, first_record(), 1);
    expect_rotated(device, second_record(), 2);
    const bool a_named = device.journal().key_slot == device::Slot::a;
    const Region region = a_named == named_copy ? Region::flag_a : Region::flag_b;
    const Region other_region = region == Region::flag_a ? Region::flag_b : Region::flag_a;
    const std::span<std::uint8_t> other_area = key_area(device, other_region);
    const Bytes whole(other_area.begin(), other_area.end());
    key_area(device, region)[at] ^= 0x10;
    CHECK(identity_of(device).key_generation == 2);
    REQUIRE(device.start_loader());
    CHECK(identity_of(device).key_generation == 2);
    const auto mended = key_area(device, region);
    CHECK(std::equal(mended.begin(), mended.begin() + 320, whole.begin()) == !named_copy);
    std::unique_ptr<TestKey> fifth = std::make_unique<TestKey>();
    expect_rotated(device, make_rotation(fourth_key(), *fifth, 3), 3);
    const auto a = key_area(device, Region::flag_a);
    const auto b = key_area(device, Region::flag_b);
    CHECK(std::equal(a.begin(), a.end(), b.begin()));
}

TEST_CASE("with both copies gone the device still serves, and takes the records again",
          "[loader][rotation]") {
    TestDevice device = fresh_device();
    expect_rotated(device, first_record(), 1);
    expect_rotated(device, second_record(), 2);
    const TestPackage package = package_of(kNew, "2.0.0", third_key());
    REQUIRE(device.perform({&package, 7, 300}).status == Status::ok);
    for (const Region region : {Region::flag_a, Region::flag_b}) {
        const auto area = key_area(device, region);
        std::fill(area.begin(), area.end(), std::uint8_t{0xFF});
    }
    auto end = device.start_loader();
    REQUIRE(end);
    // Running and its proof are gone, but the backup is signed by a built-in key.
    CHECK(end->kind == device::LoaderEnd::Kind::boot);
    CHECK(device.holds(kOld));
    CHECK(identity_of(device).key_generation == 0);
    const TestPackage again = package_of(kThird, "3.0.0", third_key());
    const JobEnd job = device.perform({&again, 8, 300, {first_record(), second_record()}});
    CHECK(job.status == Status::ok);
    CHECK(device.holds(kThird));
}

TEST_CASE("records that somebody wrote into the memory are not believed", "[loader][rotation]") {
    TestDevice device = fresh_device();
    expect_rotated(device, first_record(), 1);
    // The same record with another key in it, and everything that needs no secret put right.
    Bytes forged = make_rotation(stranger_key(), fourth_key(), 1);
    std::copy_n(first_record().begin() + 12, 8, forged.begin() + 12);
    Bytes entry = forged;
    entry.resize((forged.size() + 4 + 15) / 16 * 16);
    store_u32(&entry[entry.size() - 4], crc32(std::span{entry}.first(entry.size() - 4)));
    for (const Region region : {Region::flag_a, Region::flag_b})
        std::copy(entry.begin(), entry.end(), key_area(device, region).begin());
    CHECK(identity_of(device).key_generation == 0);
    const TestPackage package = package_of(kNew, "2.0.0", fourth_key());
    CHECK(device.perform({&package, 7, 300}).status == Status::key_unknown);
    const auto end = device.start_loader();
    REQUIRE(end);
    CHECK(end->kind == device::LoaderEnd::Kind::boot);
    CHECK(device.holds(kOld));
}

TEST_CASE("an image held on the word of a forged record does not start", "[loader][rotation]") {
    TestDevice device = fresh_device();
    expect_rotated(device, first_record(), 1);
    expect_rotated(device, second_record(), 2);
    const TestPackage package = package_of(kNew, "2.0.0", third_key());
    REQUIRE(device.perform({&package, 7, 300}).status == Status::ok);
    // Record 1 brings the key the image is signed with: spoil its signature in both copies, CRC put right.
    for (const Region region : {Region::flag_a, Region::flag_b}) {
        const auto entry = key_area(device, region).first(160);
        entry[100] ^= 1;
        store_u32(&entry[156], crc32(entry.first(156)));
    }
    const auto end = device.start_loader();
    REQUIRE(end);
    CHECK(end->kind == device::LoaderEnd::Kind::boot);
    CHECK(device.holds(kOld));  // put back from the backup, which a built-in key signed
}

TEST_CASE("a loader with one key never rotates, an application without keys neither", "[loader][rotation]") {
    TestDevice device = fresh_device();
    device.agent_has_keys = false;
    std::uint16_t generation = 0;
    CHECK(rotate(device, first_record(), generation) == Status::key_unknown);
    CHECK(identity_of(device).key_current == KeyId{});
    device::Journal journal{device.flash};
    REQUIRE(journal.mount() == Status::ok);
    device::KeyChain chain{device.flash, device.board, built_in_keys().first(1)};
    REQUIRE(chain.mount(journal.state()) == Status::ok);
    CHECK(chain.rotate(first_record(), journal, generation) == Status::key_unknown);
    CHECK(chain.generation() == 0);
    CHECK(chain.id_at(1) == KeyId{});
}

TEST_CASE("a memory that fails leaves the keys as they were, and the next try succeeds",
          "[loader][rotation]") {
    TestDevice device = fresh_device();
    expect_rotated(device, first_record(), 1);
    const bool fail_erase = GENERATE(true, false);
    const device::FlagLayout layout = device::flag_layout(device.flash, Region::flag_a);
    device.flash.set_fault([&](Region region, bool erase, std::uint32_t offset) {
        const bool keys = region != Region::running && offset >= layout.keys_begin &&
                          (region == Region::flag_a || region == Region::flag_b);
        return keys && erase == fail_erase ? Status::nor_verify_failed : Status::ok;
    });
    std::uint16_t generation = 0;
    CHECK(rotate(device, second_record(), generation) == Status::nor_verify_failed);
    CHECK(identity_of(device).key_generation == 1);
    REQUIRE(device.start_loader());
    device.flash.set_fault({});
    expect_rotated(device, second_record(), 2);
}
