// Whole jobs on the device: installation, trial, confirmation, restore, rollback, and what stops them.
#include <catch2/catch.hpp>

#include "test_device.hpp"

using namespace mcuota;
using namespace mcuota::test;
using device::LoaderEnd;
using device::Phase;
using device::State;

namespace {

const Bytes kOld = make_image(2100, 1);
const Bytes kNew = make_image(1900, 2);

PackageSpec spec_of(const Bytes& image, const char* version, std::uint32_t counter = 1) {
    PackageSpec spec;
    spec.image = image;
    spec.version = version;
    spec.security_counter = counter;
    return spec;
}

Bytes without_vectors(std::size_t size) {
    Bytes image = make_image(size, 9);
    std::fill_n(image.begin(), 8, std::uint8_t{0});
    return image;
}

void check_runs(TestDevice& device, const Bytes& image) {
    CHECK(device.holds(image));
    const std::optional<LoaderEnd> end = device.start_loader();
    REQUIRE(end);
    CHECK(end->kind == LoaderEnd::Kind::boot);
    CHECK(device.flash.violation() == "");
}

void check_serves(TestDevice& device, Status reason) {
    const std::optional<LoaderEnd> end = device.start_loader();
    REQUIRE(end);
    CHECK(end->kind == LoaderEnd::Kind::serve);
    CHECK(static_cast<unsigned>(end->reason) == static_cast<unsigned>(reason));
}

}  // namespace

TEST_CASE("a blank chip serves and takes its first application", "[loader][install]") {
    TestDevice device{Geometry::small()};
    check_serves(device, Status::no_application);
    CHECK(device.flash.operations() == 0);
    const TestPackage package = make_package(spec_of(kOld, "1.0.0"));
    const JobEnd end = device.perform({&package, 5, 100});
    CHECK(end.status == Status::ok);
    CHECK(end.trouble == "");
    check_runs(device, kOld);
    const State state = device.journal();
    CHECK(state.phase == Phase::idle);
    CHECK(state.running_confirmed);
    CHECK(state.backup_slot == device::Slot::none);
}

TEST_CASE("an update replaces the application, keeps the old one as backup and is confirmed by the new one",
          "[loader][install]") {
    const PayloadKind kind = GENERATE(PayloadKind::raw, PayloadKind::lzma);
    const TestPackage old = make_package(spec_of(kOld, "1.0.0"));
    PackageSpec spec = spec_of(kNew, "2.0.0");
    spec.kind = kind;
    const TestPackage fresh = make_package(spec);
    TestDevice device = device_with(Geometry::small(), old);
    device.progress().clear();
    const JobEnd end = device.perform({&fresh, 6, 333});
    CHECK(end.status == Status::ok);
    CHECK(end.trouble == "");
    check_runs(device, kNew);
    CHECK(device.as_agent([&](device::AgentTarget& target) {
        link::Identity identity;
        target.identity(identity);
        CHECK(identity.running.state == 1);
        CHECK(identity.running.version.view() == "2.0.0");
        CHECK(identity.running.sha256 == fresh.image_sha256);
        CHECK(identity.backup.state == 1);
        CHECK(identity.backup.version.view() == "1.0.0");
        CHECK(identity.backup.sha256 == old.image_sha256);
        CHECK(identity.last_token == 6);
        CHECK(identity.last_status == Status::ok);
        CHECK(identity.last_image == fresh.image_sha256);
        CHECK(identity.staged_package == fresh.package_id);
    }) == Power::End::finished);
    // Every step was told, in order, up to 100 %.
    const auto& told = device.progress();
    for (const link::Step step : {link::Step::rehearse, link::Step::back_up, link::Step::apply}) {
        CHECK(std::find(told.begin(), told.end(), std::pair{step, std::uint8_t{100}}) != told.end());
    }
    CHECK(std::is_sorted(told.begin(), told.end(),
                         [](const auto& a, const auto& b) { return a.first < b.first; }));
}

TEST_CASE("an image that fills the application area ends as exactly these bytes", "[loader][install]") {
    const Bytes large = make_image(896 * 1024, 4);
    const TestPackage package = make_package(spec_of(large, "9.0.0"));
    const TestPackage small = make_package(spec_of(make_image(11, 5), "9.0.1"));
    TestDevice device = device_with(Geometry::f429(), package);
    check_runs(device, large);
    CHECK(device.perform({&small, 6, 1024}).status == Status::ok);
    check_runs(device, make_image(11, 5));
}

TEST_CASE("sectors that hold the right bytes already are not erased", "[loader][install]") {
    Bytes fresh_image = kOld;
    fresh_image[600] ^= 0xFF;  // in the second unit (512..767)
    const TestPackage old = make_package(spec_of(kOld, "1.0.0"));
    const TestPackage fresh = make_package(spec_of(fresh_image, "1.0.1"));
    TestDevice device = device_with(Geometry::small(), old);
    const std::uint32_t offsets[] = {0, 512, 768, 1792};
    std::uint32_t before[4];
    for (std::size_t index = 0; index < 4; ++index) {
        before[index] = device.flash.wear(Region::running, offsets[index]);
    }
    REQUIRE(device.perform({&fresh, 6, 300}).status == Status::ok);
    check_runs(device, fresh_image);
    for (std::size_t index = 0; index < 4; ++index) {
        CHECK(device.flash.wear(Region::running, offsets[index]) - before[index] == (index == 1 ? 1 : 0));
    }
}

TEST_CASE("an image that does not prove itself is taken back, and the reason told", "[loader][trial]") {
    struct Row {
        Application behaviour;
        Bytes image;
        Status expected;
        unsigned trial_starts;
    };
    const Row row = GENERATE(Row{Application::never_confirms, kNew, Status::trial_not_confirmed, 3},
                             Row{Application::hangs, kNew, Status::trial_watchdog, 3},
                             Row{Application::confirms, without_vectors(1500), Status::vectors_invalid, 0});
    const TestPackage old = make_package(spec_of(kOld, "1.0.0"));
    const TestPackage bad = make_package(spec_of(row.image, "2.0.0", 5));
    TestDevice device = device_with(Geometry::small(), old);
    device.applications.emplace_back(bad.image_sha256, row.behaviour);
    const JobEnd end = device.perform({&bad, 7, 300});
    CHECK(end.status == row.expected);
    CHECK_FALSE(end.refused);
    CHECK(end.trouble == "");
    CHECK(end.starts == 2 + row.trial_starts);  // ask, install and first trial, …, restore and tell
    check_runs(device, kOld);
    const State state = device.journal();
    CHECK(state.failed_sha256 == bad.image_sha256);
    CHECK(state.image_sha256 == bad.image_sha256);
    CHECK(state.security_counter_floor == 1);  // only a confirmed image raises it

    SECTION("and the next one is taken without a new backup") {
        const TestPackage good = make_package(spec_of(make_image(500, 8), "3.0.0"));
        const std::uint32_t wear = device.flash.wear(Region::backup, 0);
        CHECK(device.perform({&good, 8, 300}).status == Status::ok);
        CHECK(device.flash.wear(Region::backup, 0) == wear);
        check_runs(device, make_image(500, 8));
    }
}

TEST_CASE("a first image that does not prove itself stays in place and is not started again",
          "[loader][trial]") {
    const Bytes image = GENERATE(without_vectors(1500), make_image(1500, 3));
    const TestPackage package = make_package(spec_of(image, "1.0.0"));
    TestDevice device{Geometry::small()};
    device.applications.emplace_back(package.image_sha256, Application::never_confirms);
    const JobEnd end = device.perform({&package, 7, 300});
    const Status expected = image[4] == 0 ? Status::vectors_invalid : Status::trial_not_confirmed;
    CHECK(end.status == expected);
    CHECK(device.holds(image));
    check_serves(device, expected);
    check_serves(device, expected);
    CHECK(device.journal().failed_sha256 == package.image_sha256);
    const TestPackage good = make_package(spec_of(kOld, "1.0.1"));
    CHECK(device.perform({&good, 8, 300}).status == Status::ok);
    check_runs(device, kOld);
}

TEST_CASE("a rollback puts the backup back, unless the security counter forbids it", "[loader][rollback]") {
    const TestPackage old = make_package(spec_of(kOld, "1.0.0", 1));
    const std::uint32_t counter = GENERATE(1U, 2U);
    const TestPackage fresh = make_package(spec_of(kNew, "2.0.0", counter));
    TestDevice device = device_with(Geometry::small(), old);
    CHECK(device.perform({nullptr, 6, 0}).status == Status::backup_missing);
    REQUIRE(device.perform({&fresh, 7, 300}).status == Status::ok);
    CHECK(device.journal().security_counter_floor == counter);
    const JobEnd end = device.perform({nullptr, 8, 0});
    if (counter == 2) {
        CHECK(end.status == Status::security_counter_old);
        CHECK(end.refused);
        check_runs(device, kNew);
        return;
    }
    CHECK(end.status == Status::rolled_back);
    check_runs(device, kOld);
    CHECK(device.journal().image_sha256 == old.image_sha256);
    CHECK(device.perform({nullptr, 9, 0}).status == Status::already_running);
    CHECK(device.perform({&fresh, 10, 300}).status == Status::ok);
    check_runs(device, kNew);
}

TEST_CASE("a damaged backup is never put back", "[loader][rollback]") {
    const TestPackage old = make_package(spec_of(kOld, "1.0.0"));
    const TestPackage fresh = make_package(spec_of(kNew, "2.0.0"));
    TestDevice device = device_with(Geometry::small(), old);
    REQUIRE(device.perform({&fresh, 7, 300}).status == Status::ok);
    device.flash.raw(Region::backup)[100] ^= 0x01;
    const JobEnd end = device.perform({nullptr, 8, 0});
    CHECK(end.status == Status::backup_damaged);
    CHECK(end.refused);
    check_runs(device, kNew);
}

TEST_CASE("a damaged application is put right from its backup, or the loader says what is wrong",
          "[loader][boot]") {
    const TestPackage old = make_package(spec_of(kOld, "1.0.0"));
    const TestPackage fresh = make_package(spec_of(kNew, "2.0.0"));
    TestDevice device = device_with(Geometry::small(), old);
    SECTION("no backup") {
        device.flash.raw(Region::running)[1000] ^= 0x04;
        check_serves(device, Status::application_damaged);
        check_serves(device, Status::application_damaged);
        // The same image again is the cure.
        CHECK(device.perform({&old, 9, 300}).status == Status::ok);
        check_runs(device, kOld);
    }
    SECTION("a backup") {
        REQUIRE(device.perform({&fresh, 7, 300}).status == Status::ok);
        device.flash.raw(Region::running)[1000] ^= 0x04;
        const std::optional<LoaderEnd> end = device.start_loader();
        REQUIRE(end);
        CHECK(end->kind == LoaderEnd::Kind::boot);
        check_runs(device, kOld);
        CHECK(device.journal().cause == Status::application_damaged);
        CHECK(device.journal().outcome == Status::ok);  // of the last job: that one did succeed
    }
    SECTION("its manifest is damaged") {
        device.flash.raw(Region::flag_a)[1024 + 40] ^= 0x04;
        device.flash.raw(Region::flag_b)[1024 + 40] ^= 0x04;
        check_serves(device, Status::application_damaged);
        CHECK(device.perform({&fresh, 9, 300}).status == Status::ok);
        check_runs(device, kNew);
    }
}

TEST_CASE("flash that fails for good ends an installation after bounded attempts with the old application",
          "[loader][faults]") {
    struct Row {
        Region region;
        bool erase;
        Status fault;
    };
    const Row row = GENERATE(Row{Region::backup, true, Status::nor_timeout},
                             Row{Region::backup, false, Status::nor_verify_failed},
                             Row{Region::running, true, Status::flash_erase_failed},
                             Row{Region::running, false, Status::flash_program_failed});
    const TestPackage old = make_package(spec_of(kOld, "1.0.0"));
    const TestPackage fresh = make_package(spec_of(kNew, "2.0.0"));
    TestDevice device = device_with(Geometry::small(), old);
    unsigned faults = 0;
    device.flash.set_fault([&](Region region, bool erase, std::uint32_t) {
        const bool fails = region == row.region && erase == row.erase && faults < 3;
        return fails ? (++faults, row.fault) : Status::ok;
    });
    const JobEnd end = device.perform({&fresh, 7, 300});
    CHECK(end.status == row.fault);
    CHECK(end.trouble == "");
    CHECK(faults == 3);
    check_runs(device, kOld);
    device.flash.set_fault({});
    CHECK(device.perform({&fresh, 8, 300}).status == Status::ok);
    check_runs(device, kNew);
}

TEST_CASE("internal flash that never works again leaves a serving loader that takes a job when it does",
          "[loader][faults]") {
    const TestPackage old = make_package(spec_of(kOld, "1.0.0"));
    const TestPackage fresh = make_package(spec_of(kNew, "2.0.0"));
    TestDevice device = device_with(Geometry::small(), old);
    device.flash.set_fault([](Region region, bool erase, std::uint32_t offset) {
        return region == Region::running && !erase && offset >= 512 ? Status::flash_program_failed
                                                                    : Status::ok;
    });
    const JobEnd end = device.perform({&fresh, 7, 300});
    CHECK(end.ended);  // the restore is still owed, but nobody need wait for it
    CHECK(end.status == Status::flash_program_failed);
    CHECK(device.journal().phase == Phase::restoring);
    const std::optional<LoaderEnd> start = device.start_loader(kCauseSoftware);
    REQUIRE(start);
    CHECK(start->kind == LoaderEnd::Kind::serve);
    CHECK(start->reason == Status::flash_program_failed);
    device.flash.set_fault({});
    SECTION("power comes back: the restore gets another try") {
        REQUIRE(device.start_loader(kCausePowerOn));
        check_runs(device, kOld);
        CHECK(device.journal().outcome == Status::flash_program_failed);
    }
    SECTION("the gateway sends a package") {
        CHECK(device.perform({&fresh, 8, 300}).status == Status::ok);
        check_runs(device, kNew);
    }
}

TEST_CASE("an installation that takes the loader down each time is given up", "[loader][faults]") {
    const TestPackage old = make_package(spec_of(kOld, "1.0.0"));
    const TestPackage fresh = make_package(spec_of(kNew, "2.0.0"));
    TestDevice device = device_with(Geometry::small(), old);
    REQUIRE(device.accepts(fresh, 7));
    // The watchdog bites in the middle of the backup, every time.
    device.flash.set_fault([&](Region region, bool, std::uint32_t) {
        if (region == Region::backup) {
            device.power.reset();
        }
        return Status::ok;
    });
    unsigned starts = 0;
    while (!device.start_loader(kCauseWatchdog)) {
        REQUIRE(++starts < 10);
    }
    CHECK(starts == 3);
    CHECK(device.journal().outcome == Status::install_attempts_spent);
    check_runs(device, kOld);
}

TEST_CASE("power losses do not use up attempts", "[loader][powercut]") {
    const TestPackage old = make_package(spec_of(kOld, "1.0.0"));
    const TestPackage fresh = make_package(spec_of(kNew, "2.0.0"));
    TestDevice device = device_with(Geometry::small(), old);
    REQUIRE(device.accepts(fresh, 7));
    for (unsigned cut = 0; cut < 20; ++cut) {
        device.flash.arm({5, Tear::mixed, cut, 0});
        REQUIRE_FALSE(device.start_loader(kCausePowerOn));
        device.flash.disarm();
    }
    CHECK(device.perform({&fresh, 7, 300}).status == Status::ok);
    check_runs(device, kNew);
}

TEST_CASE("an asked-for stay holds the loader and costs no trial boot", "[loader][boot]") {
    const TestPackage old = make_package(spec_of(kOld, "1.0.0"));
    TestDevice device = device_with(Geometry::small(), old);
    device.board.stay = true;
    check_serves(device, Status::held_in_loader);
    check_runs(device, kOld);
}
