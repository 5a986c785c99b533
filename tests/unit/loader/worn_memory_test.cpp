// Each kind of failing memory, what becomes of the device, and what the gateway is told: the table of
// docs/power-cuts.md, "Failing memory". Attempts are bounded, the reason is the memory's own.
#include <catch2/catch.hpp>

#include "forging.hpp"

using namespace mcuota;
using namespace mcuota::test;
using device::LoaderEnd;
using device::Phase;

namespace {

const Bytes kOld = make_image(2100, 1);
const Bytes kNew = make_image(1900, 2);
const Bytes kThird = make_image(700, 3);
constexpr std::uint64_t kToken = 7;

TestPackage package_of(const Bytes& image, const char* version) {
    PackageSpec spec;
    spec.image = image;
    spec.version = version;
    return make_package(spec);
}

const TestPackage& fresh_package() {
    static const TestPackage package = package_of(kNew, "2.0.0");
    return package;
}

TestDevice running_old(const Geometry& geometry = Geometry::small()) {
    static const TestPackage old = package_of(kOld, "1.0.0");
    TestDevice device = device_with(geometry, old);
    device.agent_has_keys = false;
    return device;
}

/// Journal sectors of 32 records, as the boards have them.
Geometry with_long_journal() {
    Geometry geometry = Geometry::small();
    geometry.of(Region::flag_a).units[0] = 4096;
    geometry.of(Region::flag_b).units[0] = 4096;
    return geometry;
}

/// One place that fails for good, and how often it was asked to work.
struct DeadPlace {
    Region region;
    bool erase;
    std::uint32_t begin;
    std::uint32_t end;
    Status status;
    unsigned asked{0};

    void install_in(TestDevice& device) {
        device.flash.set_fault([this](Region where, bool erasing, std::uint32_t offset) {
            if (where != region || erasing != erase || offset < begin || offset >= end) {
                return Status::ok;
            }
            ++asked;
            return status;
        });
    }
};

void check_status(Status found, Status expected) {
    CHECK(static_cast<unsigned>(found) == static_cast<unsigned>(expected));
}

/// A quiet start writes nothing. Where records did not come about, each start spoils their remains again.
void check_boots(TestDevice& device, const Bytes& image, bool quiet = true) {
    const std::uint64_t operations = device.flash.operations();
    const std::optional<LoaderEnd> end = device.start_loader(kCauseSoftware);
    REQUIRE(end);
    CHECK(end->kind == LoaderEnd::Kind::boot);
    CHECK(device.holds(image));
    CHECK((!quiet || device.flash.operations() == operations));
}

void check_serves(TestDevice& device, Status reason, std::uint8_t cause = kCauseSoftware) {
    const std::optional<LoaderEnd> end = device.start_loader(cause);
    REQUIRE(end);
    CHECK(end->kind == LoaderEnd::Kind::serve);
    check_status(end->reason, reason);
}

void check_takes_next(TestDevice& device) {
    device.flash.set_fault({});
    device.flash.set_read_fault({});
    const TestPackage next = package_of(kThird, "3.0.0");
    const JobEnd end = device.perform({&next, 99, 300});
    CHECK(end.trouble == "");
    check_status(end.status, Status::ok);
    CHECK(device.holds(kThird));
}

std::vector<std::uint32_t> unit_begins(const TestDevice& device, Region region, std::uint32_t until) {
    std::vector<std::uint32_t> begins;
    for (std::uint32_t at = 0; at < until; at += device.flash.erase_unit_bytes(region, at)) {
        begins.push_back(at);
    }
    return begins;
}

}  // namespace

TEST_CASE("a sector of internal flash that will not erase ends the job with the old application running",
          "[loader][worn]") {
    const TestDevice start = running_old();
    for (const std::uint32_t begin : unit_begins(start, Region::running, 1900)) {
        CAPTURE(begin);
        TestDevice device{start};
        DeadPlace dead{Region::running, true, begin, begin + 1, Status::flash_erase_failed};
        dead.install_in(device);
        const JobEnd end = device.perform({&fresh_package(), kToken, 300});
        CHECK(end.trouble == "");
        CHECK_FALSE(end.refused);
        check_status(end.status, Status::flash_erase_failed);
        CHECK(end.starts == 2);  // the one that asks, the one that tries, puts back and tells
        CHECK(dead.asked == device.product.install_attempts_max + 1U);
        for (unsigned starts = 0; starts < 3; ++starts) {
            check_boots(device, kOld);
            check_status(device.journal().outcome, Status::flash_erase_failed);
        }
        CHECK(device.journal().phase == Phase::idle);
        CHECK(device.journal().running_confirmed);
        check_takes_next(device);
    }
}

TEST_CASE("a word of internal flash that will not program ends the job with a loader that says so",
          "[loader][worn]") {
    constexpr std::uint32_t kRow = 64;  // what the model programs at once
    const TestDevice start = running_old();
    for (std::uint32_t row = 0; row < 1900; row += kRow) {
        CAPTURE(row);
        TestDevice device{start};
        DeadPlace dead{Region::running, false, row, row + kRow, Status::flash_program_failed};
        dead.install_in(device);
        const JobEnd end = device.perform({&fresh_package(), kToken, 300});
        CHECK(end.trouble == "");
        check_status(end.status, Status::flash_program_failed);
        CHECK(end.starts == 2);
        CHECK(dead.asked == 2U * device.product.install_attempts_max);  // to install, to put back
        // Nothing can run without that word. The loader serves and leaves the flash alone...
        for (unsigned starts = 0; starts < 3; ++starts) {
            check_serves(device, Status::flash_program_failed);
        }
        CHECK(dead.asked == 2U * device.product.install_attempts_max);
        // ...but for one try at each power-on: supply trouble is a common reason for failing flash.
        check_serves(device, Status::flash_program_failed, kCausePowerOn);
        CHECK(dead.asked == 2U * device.product.install_attempts_max + 1);
        SECTION("it was the supply: the old application is back, what was told stays") {
            device.flash.set_fault({});
            REQUIRE(device.start_loader(kCausePowerOn));
            check_boots(device, kOld);
            check_status(device.journal().outcome, Status::flash_program_failed);
        }
        check_takes_next(device);
    }
}

TEST_CASE("a first application that internal flash will not take leaves a loader that says so",
          "[loader][worn]") {
    TestDevice device{Geometry::small()};
    DeadPlace dead{Region::running, false, 640, 700, Status::flash_program_failed};
    dead.install_in(device);
    const JobEnd end = device.perform({&fresh_package(), kToken, 300});
    check_status(end.status, Status::flash_program_failed);
    CHECK(dead.asked == device.product.install_attempts_max);
    CHECK(device.journal().phase == Phase::halted);
    check_serves(device, Status::flash_program_failed);
    check_serves(device, Status::flash_program_failed, kCausePowerOn);
    check_takes_next(device);
}

TEST_CASE("a return that the memory stops tells the memory's reason, not that of the trial",
          "[loader][worn]") {
    const bool asked_for = GENERATE(false, true);
    TestDevice device = running_old();
    device.applications.emplace_back(fresh_package().image_sha256,
                                     asked_for ? Application::confirms : Application::never_confirms);
    if (asked_for) {
        REQUIRE(device.perform({&fresh_package(), 6, 300}).status == Status::ok);
    } else {
        forge_installation(device, fresh_package(), kToken);
        REQUIRE(device.start_loader(kCauseSoftware));
    }
    DeadPlace dead{Region::running, false, 640, 700, Status::flash_program_failed};
    dead.install_in(device);
    const JobEnd end = device.perform({asked_for ? nullptr : &fresh_package(), kToken, 300});
    CHECK(end.trouble == "");
    check_status(end.status, Status::flash_program_failed);
    CHECK(dead.asked == device.product.install_attempts_max);
    check_serves(device, Status::flash_program_failed);
    device.flash.set_fault({});
    REQUIRE(device.start_loader(kCausePowerOn));
    check_boots(device, kOld);
    check_status(device.journal().outcome, Status::flash_program_failed);
    check_takes_next(device);
}

TEST_CASE("a backup or a manifest that the NOR will not take ends the job before anything is touched",
          "[loader][worn]") {
    struct Row {
        const char* name;
        Region region;
        bool erase;
        std::uint32_t begin, end;
        Status status;
    };
    const Row row = GENERATE(
        Row{"a backup sector will not erase", Region::backup, true, 0, 0x10000, Status::nor_timeout},
        Row{"a backup page will not program", Region::backup, false, 512, 768, Status::nor_verify_failed},
        Row{"the slot of the new manifest will not erase", Region::flag_b, true, 1024, 2048,
            Status::nor_timeout},
        Row{"the slot of the new manifest will not program", Region::flag_b, false, 1024, 2048,
            Status::nor_verify_failed});
    INFO(row.name);
    TestDevice device = running_old();
    REQUIRE(device.journal().running_slot == device::Slot::a);
    DeadPlace dead{row.region, row.erase, row.begin, row.end, row.status};
    dead.install_in(device);
    const std::uint32_t wear = device.flash.wear(Region::running, 0);
    const JobEnd end = device.perform({&fresh_package(), kToken, 300});
    CHECK(end.trouble == "");
    CHECK_FALSE(end.refused);
    check_status(end.status, row.status);
    CHECK(end.starts == 2);
    CHECK(dead.asked == device.product.install_attempts_max);
    CHECK(device.flash.wear(Region::running, 0) == wear);
    check_boots(device, kOld);
    check_takes_next(device);
}

TEST_CASE("a download region that fails is told while the application runs", "[loader][worn]") {
    const bool erase = GENERATE(false, true);
    const Status status = erase ? Status::nor_timeout : Status::nor_verify_failed;
    for (std::uint32_t place = 0; place < 4096; place += 512) {
        CAPTURE(erase, place);
        TestDevice device = running_old();
        DeadPlace dead{Region::download, erase, place, place + 512, status};
        dead.install_in(device);
        const JobEnd end = device.perform({&fresh_package(), kToken, 300});
        CHECK(end.trouble == "");
        if (dead.asked != 0) {
            CHECK(end.refused);
            check_status(end.status, status);
            CHECK(end.starts == 1);
            CHECK(dead.asked <= 3);
            check_boots(device, kOld);
        } else {
            check_status(end.status, Status::ok);  // the package does not reach so far
        }
        check_takes_next(device);
    }
}

TEST_CASE("one worn journal sector ends a job before anything is touched, or not at all", "[loader][worn]") {
    enum class Work { update, revert, rollback };
    const Work work = GENERATE(Work::update, Work::revert, Work::rollback);
    const Region worn = GENERATE(Region::flag_a, Region::flag_b);
    const int how = GENERATE(0, 1, 2);  // will not erase, will not program, neither
    TestDevice start = running_old(with_long_journal());
    if (work == Work::rollback) {
        REQUIRE(start.perform({&fresh_package(), 6, 300}).status == Status::ok);
    }
    const Bytes& before = work == Work::rollback ? kNew : kOld;
    const Bytes& after = work == Work::update ? kNew : kOld;
    const Status success = work == Work::update   ? Status::ok
                           : work == Work::revert ? Status::trial_not_confirmed
                                                  : Status::rolled_back;
    if (work == Work::revert) {
        start.applications.emplace_back(fresh_package().image_sha256, Application::never_confirms);
    }
    unsigned refused = 0;
    unsigned done = 0;
    unsigned ended = 0;
    for (unsigned records = 0; records < 64; ++records) {
        CAPTURE(static_cast<int>(work), static_cast<int>(worn), how, records);
        TestDevice device{start};
        for (unsigned record = 0; record < records; ++record) {
            forge_record(device, [](device::State&) {});
        }
        const device::State old = device.journal();
        unsigned asked = 0;
        device.flash.set_fault([&](Region region, bool erase, std::uint32_t offset) {
            const bool dead = region == worn && offset < 4096 && (how == 2 || erase == (how == 0));
            asked += dead ? 1 : 0;
            return !dead ? Status::ok : erase ? Status::nor_timeout : Status::nor_verify_failed;
        });
        const std::uint32_t wear = device.flash.wear(Region::running, 0);
        const JobEnd end = device.perform({work == Work::rollback ? nullptr : &fresh_package(), kToken, 300});
        CHECK(end.trouble == "");
        CHECK(end.ended);
        CHECK(asked < 100);
        const device::State told = device.journal();
        CHECK(told.phase == Phase::idle);
        if (end.status == success) {
            ++done;
            check_boots(device, after, how == 0);
        } else {
            check_status(end.status, Status::journal_failed);
            CHECK(device.flash.wear(Region::running, 0) == wear);
            check_boots(device, before, how == 0);
            CHECK(told.running_confirmed);
            CHECK(told.token == (end.refused ? old.token : kToken));
            check_status(told.outcome, end.refused ? old.outcome : Status::journal_failed);
            CHECK(end.starts == (end.refused ? 1U : 2U));
            ++(end.refused ? refused : ended);
        }
        check_takes_next(device);
    }
    // A sector that only lets itself be erased is left for the other one as soon as it is written.
    CHECK((how == 1 || refused > 0));
    CHECK((how == 1 || ended > 0));
    CHECK(done > 0);
}

TEST_CASE("with both journal sectors worn the application runs on and every job is refused",
          "[loader][worn]") {
    TestDevice device = running_old();
    device.flash.set_fault([](Region region, bool, std::uint32_t offset) {
        const bool journal = (region == Region::flag_a || region == Region::flag_b) && offset < 1024;
        return journal ? Status::nor_verify_failed : Status::ok;
    });
    for (std::uint64_t token = 7; token < 12; ++token) {
        const JobEnd end = device.perform({&fresh_package(), token, 300});
        CHECK(end.trouble == "");
        CHECK(end.refused);
        check_status(end.status, Status::journal_failed);
        CHECK(end.starts == 1);
        const std::optional<LoaderEnd> start = device.start_loader(kCauseSoftware);
        REQUIRE(start);
        CHECK(start->kind == LoaderEnd::Kind::boot);
    }
    check_takes_next(device);
}

TEST_CASE("a NOR that is another one, or stays busy, leaves a loader that says so and touches nothing",
          "[loader][worn]") {
    const Status status = GENERATE(Status::nor_id_wrong, Status::nor_timeout);
    TestDevice device = running_old();
    std::uint64_t writes = 0;
    device.flash.set_fault([&](Region, bool, std::uint32_t) { return ++writes, status; });
    device.flash.set_read_fault([&](Region region, std::uint32_t, std::span<std::uint8_t>) {
        return region == Region::running ? Status::ok : status;
    });
    for (unsigned starts = 0; starts < 3; ++starts) {
        check_serves(device, status, starts == 0 ? kCausePowerOn : kCauseSoftware);
    }
    CHECK(writes == 0);
    const JobEnd end = device.perform({&fresh_package(), kToken, 300});
    CHECK(end.refused);
    check_status(end.status, status);
    CHECK(end.starts == 1);
    device.flash.set_fault({});
    device.flash.set_read_fault({});
    check_boots(device, kOld);
    check_takes_next(device);
}

TEST_CASE("keys that cannot be read stop the start, and say why", "[loader][worn]") {
    TestDevice device = running_old();
    device.agent_has_keys = true;
    REQUIRE(device.as_agent([&](device::AgentTarget& target) {
        std::uint16_t generation = 0;
        CHECK(target.rotate(make_rotation(next_key(), third_key(), 1), generation) == Status::ok);
    }) == Power::End::finished);
    device.flash.set_read_fault([](Region region, std::uint32_t offset, std::span<std::uint8_t>) {
        const bool flags = region == Region::flag_a || region == Region::flag_b;
        return flags && offset >= 2048 ? Status::nor_timeout : Status::ok;
    });
    check_serves(device, Status::nor_timeout);
    device.flash.set_read_fault({});
    check_boots(device, kOld);
}

TEST_CASE("a bit that always reads wrong never lets a wrong image run", "[loader][worn]") {
    const Region region =
        GENERATE(Region::flag_a, Region::flag_b, Region::backup, Region::download, Region::running);
    const TestDevice start = running_old();
    for (std::uint32_t place = 3; place < 4096; place += 29) {
        CAPTURE(static_cast<int>(region), place);
        TestDevice device{start};
        if (place >= device.flash.size_bytes(region)) {
            break;
        }
        device.flash.set_read_fault([&](Region where, std::uint32_t offset, std::span<std::uint8_t> out) {
            if (where == region && offset <= place && place < offset + out.size()) {
                out[place - offset] ^= 0x04U;
            }
            return Status::ok;
        });
        const JobEnd end = device.perform({&fresh_package(), kToken, 300});
        CHECK(end.trouble == "");
        CHECK(end.ended);
        CHECK(end.starts <= 12);
        device.flash.set_read_fault({});
        REQUIRE(device.start_loader(kCausePowerOn));
        CHECK(device.perform({&fresh_package(), kToken, 300}).ended);
        check_takes_next(device);
    }
}

TEST_CASE("more attempts than one start makes are gone on with at the next", "[loader][worn]") {
    TestDevice device = running_old();
    device.product.install_attempts_max = 100;
    DeadPlace dead{Region::backup, true, 0, 1, Status::nor_timeout};
    dead.install_in(device);
    forge_installation(device, fresh_package(), kToken);
    check_serves(device, Status::install_attempts_spent);
    CHECK(dead.asked == 64);
    const std::optional<LoaderEnd> end = device.start_loader(kCauseSoftware);
    REQUIRE(end);
    CHECK(end->kind == LoaderEnd::Kind::boot);
    CHECK(dead.asked == 100);
    check_status(device.journal().outcome, Status::nor_timeout);
    check_boots(device, kOld);
}
