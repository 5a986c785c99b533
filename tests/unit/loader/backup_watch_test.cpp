// The backup proven while the application runs: damage is told, a flipped read is not, and nothing is
// written.
#include <catch2/catch.hpp>

#include "mcu_loader/core/device/backup_watch.hpp"
#include "test_device.hpp"

using namespace mcuota;
using namespace mcuota::test;
using device::AgentTarget;
using device::BackupWatch;

namespace {

const Bytes kOld = make_image(2500, 1);
const Bytes kNew = make_image(1900, 2);
constexpr std::uint32_t kSlotBegin = 1024;  // of a flag region in the small geometry

TestPackage package_of(const Bytes& image, const char* version) {
    PackageSpec spec;
    spec.image = image;
    spec.version = version;
    return make_package(spec);
}

/// Runs kNew, holds kOld as its backup.
TestDevice with_backup() {
    TestDevice device = device_with(Geometry::small_two_banks(), package_of(kOld, "1.0.0"));
    const TestPackage fresh = package_of(kNew, "2.0.0");
    REQUIRE(device.perform({&fresh, 7, 300}).status == Status::ok);
    return device;
}

/// The bytes of the backup.
std::uint8_t& backup_byte(TestDevice& device, std::size_t at) {
    return device.flash.raw(
        Region::backup)[device::bank_offset(device.flash, device.journal().backup_bank) + at];
}

/// Steps until nothing is left to do; how many there were.
unsigned run(BackupWatch& watch) {
    unsigned steps = 0;
    while (watch.step()) {
        REQUIRE(++steps < 100);
    }
    return steps;
}

/// Journal, scratch and watch of an application that has just started.
struct Bench {
    explicit Bench(TestDevice& device) : journal{device.flash}, watch{device.flash, journal, scratch} {
        REQUIRE(journal.mount() == Status::ok);
    }
    device::Journal journal;
    device::SignedManifest scratch{};
    BackupWatch watch;
};

}  // namespace

TEST_CASE("a whole backup is proven once, in small pieces, without writing", "[loader][watch]") {
    TestDevice device = with_backup();
    Bench bench{device};
    const std::uint64_t operations = device.flash.operations();
    CHECK(run(bench.watch) == 3);
    CHECK_FALSE(bench.watch.damaged());
    CHECK(run(bench.watch) == 0);
    bench.watch.again();
    CHECK(run(bench.watch) == 3);
    CHECK_FALSE(bench.watch.damaged());
    CHECK(device.flash.operations() == operations);
}

TEST_CASE("one wrong bit anywhere in the backup is found", "[loader][watch]") {
    TestDevice device = with_backup();
    const std::size_t at = GENERATE(0U, 1023U, 1024U, 2499U);
    backup_byte(device, at) ^= 0x10;
    Bench bench{device};
    run(bench.watch);
    CHECK(bench.watch.damaged());
    // Until it is proven to be whole.
    backup_byte(device, at) ^= 0x10;
    bench.watch.again();
    CHECK(bench.watch.damaged());
    run(bench.watch);
    CHECK_FALSE(bench.watch.damaged());
}

TEST_CASE("damage that comes later is found by the next look", "[loader][watch]") {
    TestDevice device = with_backup();
    Bench bench{device};
    run(bench.watch);
    backup_byte(device, 7) ^= 0x01;
    CHECK_FALSE(bench.watch.damaged());
    bench.watch.again();
    run(bench.watch);
    CHECK(bench.watch.damaged());
}

TEST_CASE("a backup whose manifest is damaged is damaged", "[loader][watch]") {
    TestDevice device = with_backup();
    const Region flag = device.journal().backup_slot == device::Slot::a ? Region::flag_a : Region::flag_b;
    device.flash.raw(flag)[kSlotBegin + 40] ^= 0x04;
    Bench bench{device};
    run(bench.watch);
    CHECK(bench.watch.damaged());
}

TEST_CASE("bits that flip in one read are no damage", "[loader][watch]") {
    TestDevice device = with_backup();
    unsigned flips = 1;
    const Region region = GENERATE(Region::backup, Region::flag_a);
    Bench bench{device};
    device.flash.set_read_fault([&](Region read, std::uint32_t offset, std::span<std::uint8_t> out) {
        const bool hit = read == region && flips > 0 && (region == Region::backup || offset > kSlotBegin);
        if (hit) {
            --flips;
            out[0] ^= 0x20;
        }
        return Status::ok;
    });
    run(bench.watch);
    CHECK_FALSE(bench.watch.damaged());
}

TEST_CASE("without a backup there is nothing to prove; what cannot be read is not called damaged",
          "[loader][watch]") {
    SECTION("none") {
        TestDevice device = device_with(Geometry::small(), package_of(kOld, "1.0.0"));
        Bench bench{device};
        CHECK(run(bench.watch) == 0);
        CHECK_FALSE(bench.watch.damaged());
    }
    SECTION("unreadable") {
        TestDevice device = with_backup();
        Bench bench{device};
        device.flash.set_read_fault(
            [](Region, std::uint32_t, std::span<std::uint8_t>) { return Status::nor_timeout; });
        run(bench.watch);
        CHECK_FALSE(bench.watch.damaged());
    }
}

TEST_CASE("the gateway is told of a damaged backup, and a rollback is refused", "[loader][watch]") {
    TestDevice device = with_backup();
    backup_byte(device, 100) ^= 0x01;
    Bench bench{device};
    REQUIRE(device.as_agent([&](AgentTarget& target) {
        target.set_watch(bench.watch);
        link::Identity identity;
        target.identity(identity);
        CHECK(identity.backup.state == 1);  // nobody has looked yet
        run(bench.watch);
        target.identity(identity);
        CHECK(identity.backup.state == 2);
        CHECK(identity.backup.version.view() == "1.0.0");
        CHECK(identity.running.state == 1);
        CHECK(target.rollback(9) == Status::backup_damaged);
    }) == Power::End::finished);
}
