// What a hostile application, or damage between two starts, leaves for the loader to find: every seal is
// right and the story is wrong. The loader refuses it by its own checks, says why, and the device takes the
// next package.
#include <catch2/catch.hpp>

#include "forging.hpp"
#include "mcu_flasher/package/delta/delta.hpp"

using namespace mcuota;
using namespace mcuota::test;
using device::Job;
using device::LoaderEnd;
using device::Phase;
using device::Slot;
using device::State;

namespace {

const Bytes kOld = make_image(2100, 1);
const Bytes kNew = make_image(1900, 2);
const Bytes kThird = make_image(700, 3);

TestPackage package_of(const Bytes& image, const char* version, std::uint32_t counter = 1) {
    PackageSpec spec;
    spec.image = image;
    spec.version = version;
    spec.security_counter = counter;
    return make_package(spec);
}

/// The differences from kOld to `image`, for a device that runs kOld.
TestPackage delta_of(const Bytes& image, bool decodes_to_something_else = false) {
    PackageSpec spec;
    spec.image = image;
    spec.version = "2.0.0";
    spec.kind = PayloadKind::hdiffsf20;
    spec.base = kOld;
    delta::EncodeOptions options;
    options.load_address = kLoadAddress;
    options.memory_bytes_max = 48U * 1024;
    auto encoded = delta::encode(delta::Format::hdiffsf20, kOld, image, options);
    REQUIRE(encoded.ok());
    spec.payload = std::move(encoded.value().bytes);
    if (decodes_to_something_else) {
        spec.change_manifest = [](Manifest& m) { m.image_sha256[5] ^= 0x20; };
    }
    return make_package(spec);
}

TestDevice running_old() {
    static const TestDevice device = [] {
        TestDevice made = device_with(Geometry::small(), package_of(kOld, "1.0.0"));
        made.product.payload_kinds = 0x7E;
        made.agent_has_keys = false;
        return made;
    }();
    return TestDevice{device};
}

/// Runs kNew, has kOld as its backup.
TestDevice running_new(std::uint32_t counter = 1) {
    TestDevice device = running_old();
    const TestPackage fresh = package_of(kNew, "2.0.0", counter);
    REQUIRE(device.perform({&fresh, 5, 300}).status == Status::ok);
    return device;
}

void ask_rollback(State& state) {
    state.phase = Phase::rollback_requested;
    state.token = 50;
    state.outcome = Status::in_progress;
    state.job = Job::rollback;
    state.attempts_used = 0;
}

void check_boots(TestDevice& device, const Bytes& image) {
    const std::optional<LoaderEnd> end = device.start_loader(kCauseSoftware);
    REQUIRE(end);
    CHECK(end->kind == LoaderEnd::Kind::boot);
    CHECK(device.holds(image));
    CHECK(device.flash.violation() == "");
}

void check_serves(TestDevice& device, Status reason) {
    const std::optional<LoaderEnd> end = device.start_loader(kCauseSoftware);
    REQUIRE(end);
    CHECK(end->kind == LoaderEnd::Kind::serve);
    CHECK(static_cast<unsigned>(end->reason) == static_cast<unsigned>(reason));
}

void check_takes_next(TestDevice& device) {
    const TestPackage next = package_of(kThird, "3.0.0", 9);
    const JobEnd end = device.perform({&next, 99, 300});
    CHECK(end.trouble == "");
    CHECK(end.status == Status::ok);
    CHECK(device.holds(kThird));
}

void check_outcome(TestDevice& device, Status expected) {
    CHECK(static_cast<unsigned>(device.journal().outcome) == static_cast<unsigned>(expected));
}

}  // namespace

TEST_CASE("a rollback that was asked for where it cannot be had leaves the running image",
          "[loader][forged]") {
    struct Row {
        const char* name;
        void (*spoil)(TestDevice& device);
        Status expected;
    };
    const Row row = GENERATE(
        Row{"no backup", [](TestDevice& d) { forge_record(d, [](State& s) { s.backup_slot = Slot::none; }); },
            Status::backup_missing},
        Row{"a backup older than the floor",
            [](TestDevice& d) { forge_record(d, [](State& s) { s.security_counter_floor = 2; }); },
            Status::security_counter_old},
        Row{"a backup whose manifest is damaged",
            [](TestDevice& d) { d.flash.raw(device::region_of(d.journal().backup_slot))[1024 + 40] ^= 1; },
            Status::backup_damaged},
        Row{"a backup whose bytes are damaged", [](TestDevice& d) { d.flash.raw(Region::backup)[9] ^= 1; },
            Status::backup_damaged},
        Row{"a backup larger than the application area",
            [](TestDevice& d) {
                PackageSpec spec;
                spec.image = kOld;
                spec.change_manifest = [](Manifest& m) { m.image_size_bytes = 3000; };
                forge_slot(d, d.journal().backup_slot, make_package(spec));
            },
            Status::backup_damaged});
    INFO(row.name);
    TestDevice device = running_new();
    row.spoil(device);
    const std::uint32_t wear = device.flash.wear(Region::running, 0);
    forge_record(device, ask_rollback);
    check_boots(device, kNew);
    check_outcome(device, row.expected);
    CHECK(device.journal().phase == Phase::idle);
    CHECK(device.flash.wear(Region::running, 0) == wear);
    check_takes_next(device);
}

TEST_CASE("a rollback that takes the loader down each time is given up", "[loader][forged]") {
    TestDevice device = running_new();
    forge_record(device, [](State& state) { ask_rollback(state), state.attempts_used = 3; });
    check_boots(device, kNew);
    check_outcome(device, Status::install_attempts_spent);
    CHECK(device.journal().phase == Phase::idle);
    check_takes_next(device);
}

TEST_CASE("a trial whose rollback cannot be had goes on, and ends where nothing can be put back",
          "[loader][forged]") {
    TestDevice device = running_old();
    const TestPackage fresh = package_of(kNew, "2.0.0");
    forge_installation(device, fresh, 6);
    check_boots(device, kNew);
    forge_record(device, ask_rollback);
    device.flash.raw(Region::backup)[100] ^= 0x10;
    check_boots(device, kNew);  // the second trial boot
    CHECK(device.journal().phase == Phase::trial);
    CHECK(device.journal().trial_boots_used == 2);
    check_outcome(device, Status::backup_damaged);
    SECTION("it confirms") {
        REQUIRE(device.as_agent([](device::AgentTarget& target) { CHECK(target.confirm() == Status::ok); }) ==
                Power::End::finished);
        check_boots(device, kNew);
        CHECK(device.journal().phase == Phase::idle);
    }
    SECTION("it never confirms") {
        check_boots(device, kNew);
        check_serves(device, Status::trial_not_confirmed);
        CHECK(device.journal().phase == Phase::halted);
        check_outcome(device, Status::backup_damaged);  // what was told stays
        CHECK(device.holds(kNew));
    }
    check_takes_next(device);
}

TEST_CASE("a manifest that does not belong to this device starts nothing", "[loader][forged]") {
    TestDevice device = running_old();
    SECTION("other hardware") {
        device.product.hardware = "another-board";
        check_serves(device, Status::application_damaged);
        device.product.hardware = "test-board";
    }
    SECTION("another load address") {
        device.product.load_address += 0x20000;
        check_serves(device, Status::application_damaged);
        device.product.load_address = kLoadAddress;
    }
    SECTION("an image larger than the application area") {
        PackageSpec spec;
        spec.image = kOld;
        spec.change_manifest = [](Manifest& m) { m.image_size_bytes = 3000; };
        const TestPackage large = make_package(spec);
        forge_slot(device, device.journal().running_slot, large);
        check_serves(device, Status::application_damaged);
        // Nor does a delta start from it.
        forge_installation(device, delta_of(kNew), 7);
        check_serves(device, Status::application_damaged);
        check_outcome(device, Status::base_mismatch);
        check_takes_next(device);
        return;
    }
    check_boots(device, kOld);
}

TEST_CASE("the running image staged once more is refused, unless its bytes are damaged", "[loader][forged]") {
    TestDevice device = running_old();
    const TestPackage same = package_of(kOld, "1.0.0");
    const std::uint32_t wear = device.flash.wear(Region::running, 1792);
    forge_installation(device, same, 8);
    SECTION("whole") {
        check_boots(device, kOld);
        check_outcome(device, Status::already_running);
        CHECK(device.flash.wear(Region::running, 1792) == wear);
    }
    SECTION("damaged") {
        device.flash.raw(Region::running)[2000] ^= 1;
        check_boots(device, kOld);
        check_outcome(device, Status::in_progress);  // on trial, like every image that was put in place
        CHECK(device.flash.wear(Region::running, 1792) == wear + 1);
    }
}

TEST_CASE("a delta that goes wrong says whether the base or the package is to blame", "[loader][forged]") {
    TestDevice device = running_old();
    SECTION("the package: the base is whole") {
        forge_installation(device, delta_of(kNew, true), 9);
        check_boots(device, kOld);
        check_outcome(device, Status::image_hash_mismatch);
    }
    SECTION("the base has lost a bit that the delta needs") {
        Bytes fresh = kOld;
        fresh[1500] ^= 0xFF;
        forge_installation(device, delta_of(fresh), 9);
        device.flash.raw(Region::running)[900] ^= 1;
        check_serves(device, Status::application_damaged);
        check_outcome(device, Status::base_mismatch);
    }
    SECTION("the base has lost a bit that the delta does not need: it cannot become the backup") {
        const Bytes shorter(kOld.begin(), kOld.begin() + 1000);
        forge_installation(device, delta_of(shorter), 9);
        device.flash.raw(Region::running)[1500] ^= 1;
        check_serves(device, Status::application_damaged);
        check_outcome(device, Status::base_mismatch);
    }
    check_takes_next(device);
}

TEST_CASE("a full image over a damaged one is installed without a backup", "[loader][forged]") {
    TestDevice device = running_old();
    const TestPackage fresh = package_of(kNew, "2.0.0");
    forge_installation(device, fresh, 9);
    device.flash.raw(Region::running)[1500] ^= 1;
    check_boots(device, kNew);
    CHECK(device.journal().backup_slot == Slot::none);
    CHECK(device.perform({&fresh, 9, 300}).status == Status::ok);
    check_takes_next(device);
}

TEST_CASE("a package that fails where nothing can run leaves that as it was", "[loader][forged]") {
    PackageSpec spec;
    spec.image = kThird;
    spec.version = "3.0.0";
    spec.change_payload = [](Bytes& bytes) { bytes[100] ^= 1; };
    const TestPackage wrong = make_package(spec);
    const TestPackage first = package_of(kNew, "2.0.0");
    SECTION("halted after a first image that did not work") {
        TestDevice device{Geometry::small()};
        device.applications.emplace_back(first.image_sha256, Application::never_confirms);
        REQUIRE(device.perform({&first, 5, 300}).status == Status::trial_not_confirmed);
        const JobEnd end = device.perform({&wrong, 6, 300});
        CHECK(end.status == Status::image_hash_mismatch);
        CHECK_FALSE(end.refused);
        CHECK(device.journal().phase == Phase::halted);
        check_serves(device, Status::trial_not_confirmed);
        check_takes_next(device);
    }
    SECTION("a restore that the memory stopped") {
        TestDevice device = running_old();
        device.flash.set_fault([](Region region, bool erase, std::uint32_t offset) {
            return region == Region::running && !erase && offset >= 512 ? Status::flash_program_failed
                                                                        : Status::ok;
        });
        REQUIRE(device.perform({&first, 5, 300}).status == Status::flash_program_failed);
        const JobEnd end = device.perform({&wrong, 6, 300});
        CHECK(end.status == Status::image_hash_mismatch);
        CHECK(device.journal().phase == Phase::restoring);
        check_serves(device, Status::flash_program_failed);
        device.flash.set_fault({});
        REQUIRE(device.start_loader(kCausePowerOn));
        check_boots(device, kOld);
        check_outcome(device, Status::image_hash_mismatch);  // what was told stays
        check_takes_next(device);
    }
}

TEST_CASE("a damaged application whose backup is damaged, too, serves after bounded attempts",
          "[loader][forged]") {
    TestDevice device = running_new();
    device.flash.raw(Region::running)[100] ^= 1;
    device.flash.raw(Region::backup)[100] ^= 1;
    check_serves(device, Status::application_damaged);
    CHECK(device.journal().attempts_used == device.product.install_attempts_max);
    const std::uint64_t operations = device.flash.operations();
    check_serves(device, Status::application_damaged);
    CHECK(device.flash.operations() == operations);  // not tried for ever
    CHECK(device.journal().outcome == Status::ok);   // of the last job: that one did succeed
    check_takes_next(device);
}

TEST_CASE("a restore whose backup is damaged under way halts and says so", "[loader][forged]") {
    TestDevice device = running_new();
    forge_record(device, [](State& state) {
        state.phase = Phase::restoring;
        state.cause = Status::application_damaged;
        state.job = Job::recovery;
        state.target_slot = state.backup_slot;
        state.running_slot = Slot::none;
    });
    device.flash.raw(Region::backup)[100] ^= 1;
    check_serves(device, Status::backup_damaged);
    CHECK(device.journal().phase == Phase::halted);
    CHECK(device.journal().outcome == Status::ok);
    check_takes_next(device);
}

TEST_CASE("an image over more erase units than the loader keeps account of is refused untouched",
          "[loader][forged]") {
    Geometry geometry = Geometry::small();
    geometry.of(Region::running).units.assign(40, 64);
    const Bytes old_image = make_image(500, 1);
    const Bytes large = make_image(33 * 64, 2);
    TestDevice device = device_with(geometry, package_of(old_image, "1.0.0"));
    const TestPackage package = package_of(large, "2.0.0");
    const JobEnd end = device.perform({&package, 5, 300});
    CHECK(end.status == Status::image_too_large);
    CHECK_FALSE(end.refused);
    CHECK(end.trouble == "");
    check_boots(device, old_image);
    const Bytes fitting = make_image(32 * 64, 2);
    const TestPackage next = package_of(fitting, "2.0.0");
    CHECK(device.perform({&next, 6, 300}).status == Status::ok);
    check_boots(device, fitting);
}

TEST_CASE("somebody who asks in time holds the loader before an application starts", "[loader][boot]") {
    TestDevice device = running_old();
    device.asked_to_stay = true;
    check_serves(device, Status::held_in_loader);
    device.asked_to_stay = false;
    check_boots(device, kOld);
}
