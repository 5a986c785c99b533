// The backup made while the application runs: what it saves, and that nothing is lost when it fails.
#include <catch2/catch.hpp>
#include <numeric>

#include "test_device.hpp"

using namespace mcuota;
using namespace mcuota::test;

namespace {

constexpr unsigned kAllSteps = 1000;
const Bytes kOld = make_image(2100, 1);
const Bytes kNew = make_image(1900, 2);

TestPackage package_of(const Bytes& image, const char* version) {
    PackageSpec spec;
    spec.image = image;
    spec.version = version;
    return make_package(spec);
}

/// Runs kOld, which makes `steps` of its own backup after each start.
TestDevice running_old(unsigned steps, const Geometry& geometry = Geometry::small_two_banks()) {
    TestDevice device = device_with(geometry, package_of(kOld, "1.0.0"));
    device.ahead_steps_max = steps;
    return device;
}

/// Erases of a whole region so far.
std::uint32_t erases(const TestDevice& device, Region region) {
    std::uint32_t sum = 0;
    for (std::uint32_t offset = 0; offset < device.flash.size_bytes(region);) {
        sum += device.flash.wear(region, offset);
        offset += device.flash.erase_unit_bytes(region, offset);
    }
    return sum;
}

/// Starts the device once and lets its application do its steps: asks for a rollback that is refused.
void let_run(TestDevice& device) {
    const JobEnd end = device.perform({nullptr, 0x4444, 0});
    REQUIRE(end.refused);
    REQUIRE(end.trouble == "");
}

}  // namespace

TEST_CASE("a backup made ahead is proven and taken, not made again", "[loader][ahead]") {
    TestDevice device = running_old(kAllSteps);
    let_run(device);
    CHECK(device.journal().spare_whole);
    const std::uint32_t before = erases(device, Region::backup);
    let_run(device);
    CHECK(erases(device, Region::backup) == before);  // once is enough

    device.ahead_steps_max = 0;
    const TestPackage fresh = package_of(kNew, "2.0.0");
    REQUIRE(device.perform({&fresh, 7, 300}).status == Status::ok);
    CHECK(erases(device, Region::backup) == before);
    CHECK(device.holds(kNew));
    const device::State state = device.journal();
    CHECK(state.backup_bank == device::Bank::second);
    CHECK_FALSE(state.spare_whole);
    CHECK(device.perform({nullptr, 8, 0}).status == Status::rolled_back);
    CHECK(device.holds(kOld));
}

TEST_CASE("a change in one erase unit erases one unit, on the way there and on the way back",
          "[loader][ahead]") {
    TestDevice device = running_old(kAllSteps);
    Bytes changed = kOld;
    changed[600] ^= 0x55;  // in the second unit
    const TestPackage fresh = package_of(changed, "1.0.1");
    const std::uint32_t before = erases(device, Region::running);
    REQUIRE(device.perform({&fresh, 7, 300}).status == Status::ok);
    CHECK(device.holds(changed));
    CHECK(erases(device, Region::running) == before + 1);
    REQUIRE(device.perform({nullptr, 8, 0}).status == Status::rolled_back);
    CHECK(device.holds(kOld));
    CHECK(erases(device, Region::running) == before + 2);
}

TEST_CASE("the last backup stays until the next one is whole", "[loader][ahead]") {
    TestDevice device = running_old(kAllSteps);
    const TestPackage fresh = package_of(kNew, "2.0.0");
    REQUIRE(device.perform({&fresh, 7, 300}).status == Status::ok);
    device.ahead_steps_max = GENERATE(0U, 1U, 2U, 5U, kAllSteps);
    device.perform({nullptr, 7, 0});  // the job is known: nothing but a start
    CHECK(device.perform({nullptr, 8, 0}).status == Status::rolled_back);
    CHECK(device.holds(kOld));
    CHECK_FALSE(device.journal().spare_whole);
}

TEST_CASE("a copy that is not the running image is not taken for the backup", "[loader][ahead]") {
    TestDevice device = running_old(kAllSteps);
    const TestPackage fresh = package_of(kNew, "2.0.0");

    SECTION("the copy is damaged: the loader makes it anew") {
        let_run(device);
        device.ahead_steps_max = 0;
        device.flash.raw(Region::backup)[3072 + 100] ^= 0x01;
        REQUIRE(device.perform({&fresh, 7, 300}).status == Status::ok);
        CHECK(device.perform({nullptr, 8, 0}).status == Status::rolled_back);
        CHECK(device.holds(kOld));
    }
    SECTION("the memory fails: the loader makes it later") {
        device.flash.set_fault([](Region region, bool, std::uint32_t) {
            return region == Region::backup ? Status::nor_verify_failed : Status::ok;
        });
        let_run(device);
        CHECK_FALSE(device.journal().spare_whole);
        device.flash.set_fault({});
        device.ahead_steps_max = 0;
        REQUIRE(device.perform({&fresh, 7, 300}).status == Status::ok);
        CHECK(device.holds(kNew));
    }
    SECTION("there is one bank only: nothing is copied") {
        TestDevice small = running_old(kAllSteps, Geometry::small());
        let_run(small);
        CHECK(erases(small, Region::backup) == 0);
        CHECK_FALSE(small.journal().spare_whole);
    }
}

TEST_CASE("an application that is damaged while it runs is never made the backup", "[loader][ahead]") {
    TestDevice device = running_old(0);
    const TestPackage fresh = package_of(kNew, "2.0.0");
    const Power::End how = device.as_agent([&](device::AgentTarget& target) {
        device.flash.raw(Region::running)[1000] &= 0x0F;
        device::Journal journal{device.flash};
        static_cast<void>(journal.mount());
        device::BackupAhead ahead{device.flash, device.board, journal, target.scratch()};
        unsigned steps = 0;
        while (ahead.step()) {
            ++steps;
        }
        CHECK(steps > 3);
    });
    CHECK(how == Power::End::finished);
    CHECK_FALSE(device.journal().spare_whole);
    // The loader finds no application and waits for a package; it heals the device without a backup.
    REQUIRE(device.perform({&fresh, 7, 300}).status == Status::ok);
    CHECK(device.holds(kNew));
    CHECK(device.journal().backup_slot == device::Slot::none);
}
