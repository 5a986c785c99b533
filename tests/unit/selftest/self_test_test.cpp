// The self test of a port: what it leaves of a sound one, and what it says of wrong ones.
#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>

#include "mcu_flasher/self_test_text.hpp"
#include "mcu_loader/core/device/journal.hpp"
#include "tests/unit/loader/test_device.hpp"
#include "wrong_drivers.hpp"

using namespace mcuota;
using namespace mcuota::test;
using link::SelfTestFinding;
using link::SelfTestReport;

namespace {

struct Run {
    SelfTestReport last;
    std::uint32_t steps{0};
    std::vector<std::uint8_t> percents;
};

Run run(device::Storage& storage, std::span<const std::uint8_t> mapped, std::uint32_t seed,
        std::uint32_t bytes = 0) {
    Power power;
    TestBoard board{power};
    const auto test = std::make_unique<device::SelfTest>(storage, board, mapped);
    Run out;
    do {
        REQUIRE(test->step({out.steps, seed, bytes}, out.last) == Status::ok);
        ++out.steps;
        out.percents.push_back(out.last.percent);
        REQUIRE(out.steps < 10'000);
    } while (out.last.state == SelfTestReport::State::goes_on);
    return out;
}

std::vector<Geometry> geometries() {
    Geometry one_bank = usable_geometry();
    one_bank.of(Region::backup).units.assign(6, 512);
    Geometry wide = usable_geometry();
    wide.of(Region::running) = {{256, 256, 4096}, 16, 64, 0};
    return {usable_geometry(), one_bank, wide};
}

}  // namespace

TEST_CASE("a sound port passes, in every geometry, and is left as it came from the factory", "[selftest]") {
    for (const Geometry& geometry : geometries()) {
        for (std::uint32_t seed = 1; seed <= 8; ++seed) {
            INFO("seed " << seed);
            FlashModel flash{geometry};
            Port port{flash};
            const Run done = run(port, flash.raw(Region::running), seed);
            INFO(flasher::finding_text(done.last));
            REQUIRE(done.last.state == SelfTestReport::State::passed);
            CHECK(flash.violation() == "");
            CHECK(done.last.percent == 100);
            CHECK(std::is_sorted(done.percents.begin(), done.percents.end()));
            device::Journal journal{port};
            CHECK(journal.mount() == Status::ok);
            CHECK(journal.sequence() == 0);
            for (const Region region : {Region::flag_a, Region::flag_b}) {
                const auto cells = flash.raw(region);
                CHECK(
                    std::all_of(cells.begin(), cells.end(), [](std::uint8_t byte) { return byte == 0xFF; }));
            }
        }
    }
}

TEST_CASE("a quick test leaves the middle of large regions alone", "[selftest]") {
    Geometry geometry = usable_geometry();
    geometry.of(Region::running) = {{16'384, 16'384, 65'536, 131'072, 131'072, 131'072}, 4, 512, 0};
    geometry.of(Region::backup) = {std::vector<std::uint32_t>(240, 4096), 1, 256, 65'536};
    geometry.of(Region::download) = {std::vector<std::uint32_t>(160, 4096), 1, 256, 65'536};
    for (std::uint32_t seed = 1; seed <= 4; ++seed) {
        FlashModel flash{geometry};
        Port port{flash};
        const Run done = run(port, flash.raw(Region::running), seed, 65'536);
        INFO(flasher::finding_text(done.last));
        CHECK(done.last.state == SelfTestReport::State::passed);
        CHECK(flash.violation() == "");
        CHECK(std::is_sorted(done.percents.begin(), done.percents.end()));
        for (const Region region : {Region::running, Region::download}) {
            CHECK(flash.wear(region, 0) > 1);
            CHECK(flash.wear(region, flash.size_bytes(region) / 2) == 0);
            CHECK(flash.wear(region, flash.size_bytes(region) - 1) > 1);
        }
    }
}

TEST_CASE("each kind of wrong driver is caught and named in words", "[selftest]") {
    for (const WrongDriver& wrong : wrong_drivers()) {
        for (std::uint32_t seed = 1; seed <= 5; ++seed) {
            FlashModel flash{usable_geometry()};
            const std::unique_ptr<Port> port = wrong.make(flash);
            const Run done = run(*port, flash.raw(Region::running), seed);
            const std::string words = flasher::finding_text(done.last);
            INFO(wrong.name << ", seed " << seed << ": " << words);
            CHECK(done.last.state == SelfTestReport::State::failed);
            CHECK(std::count(wrong.findings.begin(), wrong.findings.end(), done.last.finding) == 1);
            CHECK(words.find(wrong.words) != std::string::npos);
            CHECK_FALSE(flasher::finding_hint(done.last.finding).empty());
        }
    }
}

TEST_CASE("a running region that is not at the load address is found", "[selftest]") {
    FlashModel flash{usable_geometry()};
    Port port{flash};
    const std::vector<std::uint8_t> elsewhere(flash.size_bytes(Region::running), 0xFF);
    const Run done = run(port, elsewhere, 1);
    CHECK(done.last.finding == SelfTestFinding::not_at_load_address);
    CHECK(flasher::finding_text(done.last).find("load address") != std::string::npos);
}

TEST_CASE("tables the loader cannot work with are refused before anything is erased", "[selftest]") {
    Geometry geometry = usable_geometry();
    geometry.of(Region::backup).units.assign(2, 512);
    FlashModel flash{geometry};
    Port port{flash};
    const Run done = run(port, {}, 1);
    CHECK(done.last.finding == SelfTestFinding::geometry_unusable);
    CHECK(done.steps == 1);
    CHECK(flash.operations() == 0);
}

TEST_CASE("steps are taken in order, with one seed, and not after the end", "[selftest]") {
    FlashModel flash{usable_geometry()};
    Port port{flash};
    Power power;
    TestBoard board{power};
    const auto test = std::make_unique<device::SelfTest>(port, board, std::span<const std::uint8_t>{});
    SelfTestReport report;
    CHECK(test->step({1, 7, 0}, report) == Status::wrong_state);
    CHECK_FALSE(test->begun());
    CHECK(test->step({0, 7, 0}, report) == Status::ok);
    CHECK(test->begun());
    CHECK(test->step({2, 7, 0}, report) == Status::wrong_state);
    CHECK(test->step({1, 8, 0}, report) == Status::wrong_state);
    CHECK(test->step({1, 7, 0}, report) == Status::ok);
    CHECK(test->step({0, 9, 0}, report) == Status::ok);
    CHECK(test->step({1, 9, 0}, report) == Status::ok);
}

TEST_CASE("request and answer keep everything, and a request without consent is none", "[selftest]") {
    std::array<std::uint8_t, 64> body{};
    const std::size_t size = encode(link::SelfTestRequest{3, 0xAABBCCDD, 9}, body);
    REQUIRE(size == 16);
    link::SelfTestRequest request;
    REQUIRE(link::decode(std::span{body}.first(size), request));
    CHECK(request.step == 3);
    CHECK(request.seed == 0xAABBCCDD);
    CHECK(request.bytes == 9);
    CHECK_FALSE(link::decode(std::span{body}.first(size - 1), request));
    CHECK_FALSE(link::decode(std::span{body}.first(size + 1), request));
    body[0] ^= 1;
    CHECK_FALSE(link::decode(std::span{body}.first(size), request));

    SelfTestReport report;
    report.state = SelfTestReport::State::failed;
    report.check = link::SelfTestCheck::rewrite;
    report.region = 3;
    report.percent = 47;
    report.finding = SelfTestFinding::displaced;
    report.status = Status::nor_timeout;
    report.offset = 0x12345678;
    report.expected = 1;
    report.found = 2;
    report.other_region = 4;
    report.other_offset = 0x9ABCDEF0;
    const std::size_t bytes = encode(report, body);
    SelfTestReport back;
    REQUIRE(link::decode(std::span{body}.first(bytes), back));
    CHECK(back.state == report.state);
    CHECK(back.check == report.check);
    CHECK(back.region == 3);
    CHECK(back.percent == 47);
    CHECK(back.finding == report.finding);
    CHECK(back.status == report.status);
    CHECK(back.offset == report.offset);
    CHECK(back.expected == 1);
    CHECK(back.found == 2);
    CHECK(back.other_region == 4);
    CHECK(back.other_offset == report.other_offset);
    CHECK_FALSE(link::decode(std::span{body}.first(bytes - 1), back));
    body[0] = 3;
    CHECK_FALSE(link::decode(std::span{body}.first(bytes), back));
}
