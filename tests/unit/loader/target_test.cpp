// What the device answers to requests: in the right state, in the wrong one, and twice.
#include <catch2/catch.hpp>

#include "test_device.hpp"

using namespace mcuota;
using namespace mcuota::test;
using device::AgentTarget;
using device::LoaderTarget;
using device::Phase;

namespace {

const Bytes kOld = make_image(2100, 1);
const Bytes kNew = make_image(1900, 2);

TestPackage package_of(const Bytes& image, const char* version) {
    PackageSpec spec;
    spec.image = image;
    spec.version = version;
    return make_package(spec);
}

const TestPackage& old_package() {
    static const TestPackage package = package_of(kOld, "1.0.0");
    return package;
}

const TestPackage& new_package() {
    static const TestPackage package = package_of(kNew, "2.0.0");
    return package;
}

void send(device::DeviceTarget& target, const TestPackage& package) {
    link::Held held;
    REQUIRE(target.offer(package.offer(), held) == Status::ok);
    REQUIRE(target.write(held.held_bytes, std::span{package.envelope}.subspan(held.held_bytes)) ==
            Status::ok);
}

}  // namespace

TEST_CASE("a package must be complete before it is checked or installed", "[loader][target]") {
    TestDevice device = device_with(Geometry::small(), old_package());
    REQUIRE(device.as_agent([&](AgentTarget& target) {
        link::Held held;
        CHECK(target.offer(new_package().offer(), held) == Status::ok);
        CHECK(target.write(0, std::span{new_package().envelope}.first(1000)) == Status::ok);
        CHECK(target.finish() == Status::package_incomplete);
        CHECK(target.install(3) == Status::package_incomplete);
        target.abort_staging();
        CHECK(target.write(1000, {}) == Status::wrong_state);
        link::Identity identity;
        target.identity(identity);
        CHECK(identity.staged_held_bytes == 512);
        CHECK(identity.staged_envelope_bytes == new_package().envelope.size());
    }) == Power::End::finished);
}

TEST_CASE("an install is asked once however often the request comes", "[loader][target]") {
    TestDevice device = device_with(Geometry::small(), old_package());
    REQUIRE(device.as_agent([&](AgentTarget& target) {
        send(target, new_package());
        CHECK(target.install(0) == Status::malformed_request);
        CHECK(target.install(3) == Status::ok);
        const std::uint64_t operations = device.flash.operations();
        CHECK(target.install(3) == Status::ok);
        CHECK(device.flash.operations() == operations);
        CHECK(target.install(4) == Status::busy);
        CHECK(target.rollback(4) == Status::backup_missing);
        link::Held held;
        CHECK(target.offer(old_package().offer(), held) == Status::busy);
        link::Outcome outcome;
        CHECK(target.outcome(3, outcome) == Status::ok);
        CHECK(outcome.status == Status::in_progress);
        CHECK(outcome.image_sha256 == new_package().image_sha256);
        CHECK(target.outcome(4, outcome) == Status::ok);
        CHECK(outcome.status == Status::unknown_token);
    }) == Power::End::finished);
    CHECK(device.perform({&new_package(), 3, 300}).status == Status::ok);
    REQUIRE(device.as_agent([&](AgentTarget& target) {
        CHECK(target.install(3) == Status::wrong_state);  // finished long ago: ask for the outcome
    }) == Power::End::finished);
}

TEST_CASE("on trial only the application may confirm, and no other package may come between",
          "[loader][target]") {
    TestDevice device = device_with(Geometry::small(), old_package());
    device.agent_has_keys = GENERATE(true, false);
    REQUIRE(device.as_agent([&](AgentTarget& target) {
        send(target, new_package());
        CHECK(target.install(3) == Status::ok);
    }) == Power::End::finished);
    REQUIRE(device.start_loader(kCauseSoftware));
    REQUIRE(device.journal().phase == Phase::trial);
    device.board.stay = true;
    REQUIRE(device.as_loader([&](LoaderTarget& target) {
        link::Identity identity;
        target.identity(identity);
        CHECK(identity.role == link::Role::loader);
        CHECK(identity.running.state == 2);
        CHECK(identity.stay_reason == Status::held_in_loader);
        CHECK(identity.trial_boots_used == 1);
        CHECK(identity.trial_boots_allowed == 3);
        CHECK(target.confirm() == Status::wrong_state);
    }) == Power::End::finished);
    REQUIRE(device.as_agent([&](AgentTarget& target) {
        send(target, new_package());
        CHECK(target.install(5) == Status::wrong_state);
        link::Outcome outcome;
        CHECK(target.outcome(3, outcome) == Status::ok);
        CHECK(outcome.status == Status::in_progress);
        CHECK(outcome.step == link::Step::trial);
        CHECK(target.confirm() == Status::ok);
        CHECK(target.confirm() == Status::ok);
        CHECK(target.outcome(3, outcome) == Status::ok);
        CHECK(outcome.status == Status::ok);
    }) == Power::End::finished);
    CHECK(device.journal().phase == Phase::idle);
}

TEST_CASE("a rollback may end a trial", "[loader][target]") {
    TestDevice device = device_with(Geometry::small(), old_package());
    REQUIRE(device.as_agent([&](AgentTarget& target) {
        send(target, new_package());
        CHECK(target.install(3) == Status::ok);
    }) == Power::End::finished);
    REQUIRE(device.start_loader(kCauseSoftware));
    REQUIRE(device.as_agent([&](AgentTarget& target) {
        CHECK(target.rollback(0) == Status::malformed_request);
        CHECK(target.rollback(4) == Status::ok);
        CHECK(target.rollback(4) == Status::ok);
        CHECK(target.confirm() == Status::wrong_state);
    }) == Power::End::finished);
    CHECK(device.perform({nullptr, 4, 0}).status == Status::rolled_back);
    CHECK(device.holds(kOld));
}

TEST_CASE("a blank device tells what it is", "[loader][target]") {
    TestDevice device{Geometry::small()};
    REQUIRE(device.as_loader([&](LoaderTarget& target) {
        link::Identity identity;
        target.identity(identity);
        CHECK(identity.hardware.view() == "test-board");
        CHECK(identity.loader_version.view() == "1.2.3");
        CHECK(identity.running.state == 0);
        CHECK(identity.backup.state == 0);
        CHECK(identity.last_token == 0);
        CHECK(identity.stay_reason == Status::no_application);
        CHECK(identity.image_bytes_max == 2816);
        CHECK(identity.load_address == kLoadAddress);
        CHECK(identity.payload_kinds == 0x0E);
        CHECK(identity.jedec_id == 0xEF4018);
        CHECK(identity.reset_cause == kCausePowerOn);
        CHECK(target.confirm() == Status::wrong_state);
        CHECK(target.rollback(1) == Status::backup_missing);
        CHECK(target.install(1) == Status::package_incomplete);
        std::array<char, 64> text;
        CHECK(target.log(0, text) == 0);
        CHECK(target.speed_supported(115200));
        CHECK_FALSE(target.speed_supported(3'000'000));
        CHECK_FALSE(target.speed_supported(300));
        CHECK(target.reboot(true) == Status::ok);
        target.reset_now();
    }) == Power::End::reset);
    CHECK(device.board.stay);
}

TEST_CASE("the geometry of a port is checked", "[loader][storage]") {
    CHECK(device::regions_usable(FlashModel{Geometry::f429()}));
    const auto changed = [](Region region, std::vector<std::uint32_t> units) {
        Geometry geometry = Geometry::f429();
        geometry.regions[static_cast<std::size_t>(region)].units = std::move(units);
        return device::regions_usable(FlashModel{geometry});
    };
    CHECK_FALSE(changed(Region::running, std::vector<std::uint32_t>(33, 1024)));
    CHECK_FALSE(changed(Region::flag_a, {4096}));
    CHECK_FALSE(changed(Region::flag_b, {2048, 4096}));
    CHECK_FALSE(changed(Region::backup, {4096}));
    CHECK_FALSE(changed(Region::download, std::vector<std::uint32_t>(16, 8192)));
}

TEST_CASE("what needs the journal is refused with the reason while it cannot be read", "[loader][target]") {
    TestDevice device = device_with(Geometry::small(), old_package());
    device.flash.set_read_fault(
        [](Region, std::uint32_t, std::span<std::uint8_t>) { return Status::nor_timeout; });
    REQUIRE(device.as_agent([&](AgentTarget& target) {
        device.flash.set_read_fault({});  // it works again, but who knows what it holds
        const std::uint64_t operations = device.flash.operations();
        link::Held held;
        link::Outcome outcome;
        std::uint16_t generation = 0;
        CHECK(target.offer(new_package().offer(), held) == Status::nor_timeout);
        CHECK(target.install(3) == Status::nor_timeout);
        CHECK(target.outcome(3, outcome) == Status::nor_timeout);
        CHECK(target.rollback(3) == Status::nor_timeout);
        CHECK(target.rotate({}, generation) == Status::nor_timeout);
        CHECK(device.flash.operations() == operations);
        link::Identity identity;
        target.identity(identity);
        CHECK(identity.stay_reason == Status::nor_timeout);
    }) == Power::End::finished);
}
