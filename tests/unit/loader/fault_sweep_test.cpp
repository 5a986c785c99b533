// Memory that fails: every flash operation and read of an installation and of a revert fails once, or for
// good.
#include <catch2/catch.hpp>

#include "test_device.hpp"

using namespace mcuota;
using namespace mcuota::test;

namespace {

const Bytes kOld = make_image(2100, 1);
const Bytes kNew = make_image(1900, 2);
const Bytes kThird = make_image(700, 3);

#ifdef __SANITIZE_ADDRESS__
constexpr std::uint64_t kEvery = 8;
#else
constexpr std::uint64_t kEvery = 1;
#endif

TestPackage package_of(const Bytes& image, const char* version) {
    PackageSpec spec;
    spec.image = image;
    spec.version = version;
    return make_package(spec);
}

Status fault_of(Region region, bool erase) {
    const Status internal = erase ? Status::flash_erase_failed : Status::flash_program_failed;
    return region == Region::running ? internal : Status::nor_verify_failed;
}

/// Whatever the memory did: no promise was broken meanwhile, and when it works again and power comes back the
/// device takes the next package.
void check_sound(TestDevice& device, const JobEnd& end, const TestPackage& fresh, const TestPackage& next) {
    CHECK(end.trouble == "");
    device.flash.set_fault({});
    device.flash.set_read_fault({});
    REQUIRE(device.start_loader(kCausePowerOn));
    // A trial or a restore under way comes to its end first.
    CHECK(device.perform({&fresh, 7, 300}).ended);
    const JobEnd later = device.perform({&next, 9, 300});
    CHECK(later.trouble == "");
    CHECK(later.ended);
    CHECK_FALSE(later.refused);
    CHECK(static_cast<unsigned>(later.status) == static_cast<unsigned>(Status::ok));
    CHECK(device.holds(kThird));
}

}  // namespace

TEST_CASE("an operation that fails once or for good leaves a device that takes the next package",
          "[loader][faults]") {
    const bool reverts = GENERATE(false, true);
    const bool for_good = GENERATE(false, true);
    const TestPackage old = package_of(kOld, "1.0.0");
    const TestPackage fresh = package_of(kNew, "2.0.0");
    const TestPackage third = package_of(kThird, "3.0.0");
    TestDevice start = device_with(Geometry::small(), old);
    start.agent_has_keys = false;
    if (reverts) {
        start.applications.emplace_back(fresh.image_sha256, Application::never_confirms);
    }
    TestDevice undisturbed{start};
    const std::uint64_t before = undisturbed.flash.operations();
    REQUIRE(undisturbed.perform({&fresh, 7, 300}).ended);
    const std::uint64_t operations = undisturbed.flash.operations() - before;
    for (std::uint64_t failing = 0; failing < operations; failing += kEvery) {
        CAPTURE(reverts, for_good, failing);
        TestDevice device{start};
        std::uint64_t count = 0;
        std::optional<std::tuple<Region, bool, std::uint32_t>> broken;
        device.flash.set_fault([&](Region region, bool erase, std::uint32_t offset) {
            const std::tuple here{region, erase, offset};
            const bool now = count++ == failing;
            if (now) {
                broken = here;
            }
            return now || (for_good && broken == here) ? fault_of(region, erase) : Status::ok;
        });
        const JobEnd end = device.perform({&fresh, 7, 300});
        check_sound(device, end, fresh, third);
    }
}

TEST_CASE("a read that fails or flips a bit once leaves a device that takes the next package",
          "[loader][faults]") {
    const bool flips = GENERATE(false, true);
    const TestPackage old = package_of(kOld, "1.0.0");
    const TestPackage fresh = package_of(kNew, "2.0.0");
    const TestPackage third = package_of(kThird, "3.0.0");
    TestDevice start = device_with(Geometry::small(), old);
    start.agent_has_keys = false;
    TestDevice undisturbed{start};
    const std::uint32_t before = undisturbed.flash.reads();
    REQUIRE(undisturbed.perform({&fresh, 7, 300}).ended);
    const std::uint32_t reads = undisturbed.flash.reads() - before;
    for (std::uint32_t failing = 0; failing < reads; failing += 3 * kEvery) {
        CAPTURE(flips, failing);
        TestDevice device{start};
        std::uint32_t count = 0;
        device.flash.set_read_fault([&](Region, std::uint32_t, std::span<std::uint8_t> out) {
            if (count++ != failing) {
                return Status::ok;
            }
            out[failing % out.size()] ^= 0x10U;
            return flips ? Status::ok : Status::nor_timeout;
        });
        const JobEnd end = device.perform({&fresh, 7, 300});
        check_sound(device, end, fresh, third);
    }
}
