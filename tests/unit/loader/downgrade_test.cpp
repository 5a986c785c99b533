// The security counter and packages that are authorised to lower its floor.
#include <catch2/catch.hpp>

#include "test_device.hpp"

using namespace mcuota;
using namespace mcuota::test;

namespace {

const Bytes kOld = make_image(2100, 1);
const Bytes kNew = make_image(1900, 2);
const Bytes kThird = make_image(700, 3);

TestPackage package_of(const Bytes& image, std::uint32_t counter, std::uint32_t downgrade_floor_max = 0) {
    PackageSpec spec;
    spec.image = image;
    spec.version = std::to_string(counter) + ".0.0";
    spec.security_counter = counter;
    spec.change_manifest = [=](Manifest& manifest) { manifest.downgrade_floor_max = downgrade_floor_max; };
    return make_package(spec);
}

}  // namespace

TEST_CASE("a downgrade needs authority for the floor of this device", "[loader][downgrade]") {
    struct Row {
        const char* name;
        std::uint32_t counter, downgrade_floor_max;
        Status status;
    };
    const Row rows[] = {
        {"none", 3, 0, Status::security_counter_old},
        {"for lower floors", 3, 4, Status::security_counter_old},
        {"for this floor", 3, 5, Status::ok},
        {"for higher floors, too", 0, 0xFFFFFFFF, Status::ok},
        {"not needed", 5, 0, Status::ok},
        {"not needed, but there", 6, 7, Status::ok},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        TestDevice device = device_with(Geometry::small(), package_of(kOld, 5));
        device.agent_has_keys = false;
        const TestPackage package = package_of(kNew, row.counter, row.downgrade_floor_max);
        CHECK(device.perform({&package, 7, 300}).status == row.status);
        const bool taken = row.status == Status::ok;
        CHECK(device.holds(taken ? kNew : kOld));
        CHECK(device.journal().security_counter_floor == (taken ? row.counter : 5));
    }
}

TEST_CASE("a downgrade is no key to the next one: a newer release ends its authority",
          "[loader][downgrade]") {
    TestDevice device = device_with(Geometry::small(), package_of(kOld, 5));
    const TestPackage lower = package_of(kNew, 3, 5);
    const TestPackage plain = package_of(kThird, 4);
    REQUIRE(device.perform({&plain, 6, 300}).status == Status::security_counter_old);
    REQUIRE(device.perform({&lower, 7, 300}).status == Status::ok);
    REQUIRE(device.perform({&plain, 8, 300}).status == Status::ok);  // the floor is 3 now
    CHECK(device.journal().security_counter_floor == 4);
    REQUIRE(device.perform({&lower, 9, 300}).status == Status::ok);  // still within what it was given
    const TestPackage newer = package_of(kOld, 6);
    REQUIRE(device.perform({&newer, 10, 300}).status == Status::ok);
    CHECK(device.perform({&lower, 11, 300}).status == Status::security_counter_old);
    CHECK(device.perform({nullptr, 12, 300}).status == Status::security_counter_old);  // nor from the backup
    CHECK(device.holds(kOld));
    CHECK(device.journal().security_counter_floor == 6);
}

TEST_CASE("a downgrade that fails its trial leaves image and floor as they were", "[loader][downgrade]") {
    TestDevice device = device_with(Geometry::small(), package_of(kOld, 5));
    const TestPackage lower = package_of(kNew, 3, 5);
    device.applications.emplace_back(lower.image_sha256, Application::never_confirms);
    CHECK(device.perform({&lower, 7, 300}).status == Status::trial_not_confirmed);
    CHECK(device.holds(kOld));
    CHECK(device.journal().security_counter_floor == 5);
    const TestPackage plain = package_of(kThird, 4);
    CHECK(device.perform({&plain, 8, 300}).status == Status::security_counter_old);
}

TEST_CASE("a downgrade that is taken back takes its floor back, too", "[loader][downgrade]") {
    TestDevice device = device_with(Geometry::small(), package_of(kOld, 5));
    const TestPackage lower = package_of(kNew, 3, 5);
    REQUIRE(device.perform({&lower, 7, 300}).status == Status::ok);
    CHECK(device.journal().security_counter_floor == 3);
    CHECK(device.perform({nullptr, 8, 300}).status == Status::rolled_back);
    CHECK(device.holds(kOld));
    CHECK(device.journal().security_counter_floor == 5);
    const TestPackage plain = package_of(kThird, 4);
    CHECK(device.perform({&plain, 9, 300}).status == Status::security_counter_old);
}

TEST_CASE("an image that came by a downgrade is put back when the next one fails", "[loader][downgrade]") {
    TestDevice device = device_with(Geometry::small(), package_of(kOld, 5));
    const TestPackage lower = package_of(kNew, 3, 5);
    REQUIRE(device.perform({&lower, 7, 300}).status == Status::ok);
    const TestPackage bad = package_of(kThird, 9);
    device.applications.emplace_back(bad.image_sha256, Application::hangs);
    CHECK(device.perform({&bad, 8, 300}).status == Status::trial_watchdog);
    CHECK(device.holds(kNew));
    CHECK(device.journal().security_counter_floor == 3);
    device.flash.raw(Region::running)[50] ^= 4;
    const auto end = device.start_loader();
    REQUIRE(end);
    CHECK(end->kind == device::LoaderEnd::Kind::boot);  // mended from the backup of itself
    CHECK(device.holds(kNew));
}
