// Requirements between the devices of a gateway, case by case and through the engine.
#include "daemon/job/requirements.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/job/plant.hpp"

using namespace mcuota;
using namespace mcuota::job;
using db::JobState;

namespace {

template <std::size_t N>
BoundedText<N> text(std::string_view from) {
    BoundedText<N> out;
    std::copy(from.begin(), from.end(), out.bytes.begin());
    out.length = static_cast<std::uint8_t>(from.size());
    return out;
}

Requirement require(std::string_view name, std::string_view version) {
    return {text<kHardwareBytesMax>(name), text<kVersionBytesMax>(version)};
}

}  // namespace

TEST_CASE("every device a requirement names must run that version or a newer one, confirmed") {
    const std::vector<Fellow> fellows = {
        {"pump-1", "pump-board", "1.5.0"}, {"pump-2", "pump-board", "2.0.0"}, {"valve-1", "valve-board", ""}};
    struct Row {
        const char* name;
        std::vector<Requirement> required;
        std::optional<ErrorCode> code;
        const char* word;
    };
    const Row rows[] = {
        {"none", {}, {}, ""},
        {"exactly", {require("pump-1", "1.5.0")}, {}, ""},
        {"newer", {require("pump-2", "1.9.9")}, {}, ""},
        {"older", {require("pump-1", "1.5.1")}, ErrorCode::requirement_unmet, "pump-1 runs 1.5.0"},
        {"all of a hardware", {require("pump-board", "1.5")}, {}, ""},
        {"one of a hardware is behind",
         {require("pump-board", "2.0.0")},
         ErrorCode::requirement_unmet,
         "pump-1"},
        {"not heard of, or on trial",
         {require("valve-1", "0.1")},
         ErrorCode::requirement_unmet,
         "has not said so"},
        {"nobody of this name", {require("pump-9", "1")}, ErrorCode::not_found, "no such device"},
        {"the second of two",
         {require("pump-1", "1"), require("pump-2", "3")},
         ErrorCode::requirement_unmet,
         "pump-2 runs 2.0.0"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Manifest manifest;
        manifest.version = text<kVersionBytesMax>("4.0.0");
        manifest.requires_count = static_cast<std::uint8_t>(row.required.size());
        std::copy(row.required.begin(), row.required.end(), manifest.required.begin());
        const std::optional<Error> unmet = unmet_requirement(manifest, fellows);
        REQUIRE(unmet.has_value() == row.code.has_value());
        if (!unmet) continue;
        CHECK(unmet->code == *row.code);
        CHECK_THAT(unmet->what, Catch::Contains(row.word) && Catch::Contains("version 4.0.0 requires"));
        CHECK_FALSE(unmet->next.empty());
    }
}

TEST_CASE("a job waits for the device its package requires, unsent, and goes on when that one is ready") {
    Plant plant;
    plant.add_neighbour("valve-1", "valve-board");
    plant.add_requirement("valve-1", "2.0.0");
    plant.config().policy.attempts_max = 1'000;
    plant.start();
    plant.engine->on_offer(plant.offer());
    REQUIRE(plant.until_state(1, JobState::waiting));
    REQUIRE(plant.job(1).error);
    CHECK(plant.job(1).error->code == ErrorCode::requirement_unmet);
    CHECK(plant.device.sent.empty());
    plant.neighbour.version = "2.0.1";
    REQUIRE(plant.wait_for(plant.engine->refresh("valve-1")));
    REQUIRE(plant.until_state(1, JobState::succeeded));
    CHECK(plant.device.sent.size() == 1);
}

TEST_CASE("a requirement on a device this gateway does not have fails the job before anything is sent") {
    Plant plant;
    plant.add_requirement("valve-1", "2.0.0");
    plant.start();
    plant.engine->on_offer(plant.offer());
    REQUIRE(plant.until_state(1, JobState::failed));
    CHECK(plant.job(1).error->code == ErrorCode::not_found);
    CHECK(plant.device.sent.empty());
    CHECK(plant.told().back() == "failure not_found");
}
