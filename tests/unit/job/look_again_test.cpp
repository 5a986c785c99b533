// The question an idle device is asked once a day: how its backup is it says only when it is asked.
#include <catch2/catch.hpp>

#include "tests/unit/job/plant.hpp"

using namespace mcuota;
using namespace mcuota::job;

namespace {

/// Days of no length, so that the next question is always due.
void start_asking_at_once(Plant& plant) {
    plant.device.backup_version = "0.9.0";
    plant.look_again_ms = 0;
    plant.start();
    REQUIRE(plant.until([&] { return plant.device.asked >= 3; }));
}

std::string backup_state(Plant& plant) {
    return plant.engine->devices()->front().backup->state;
}

}  // namespace

TEST_CASE("a backup that breaks while nothing is to be done is known after the daily question") {
    Plant plant;
    start_asking_at_once(plant);
    CHECK(backup_state(plant) == "valid");
    plant.device.backup_damaged = true;
    REQUIRE(plant.until([&] { return backup_state(plant) == "damaged"; }));
    CHECK(plant.store->device("pump-1")->value().backup.state == 2);
    const unsigned asked = plant.device.asked;
    REQUIRE(plant.until([&] { return plant.device.asked >= asked + 3; }));
    CHECK(plant.logged("its backup image 0.9.0 is damaged") == 1);  // once, not every day
}

TEST_CASE("a device that misses a daily question is asked again the next day") {
    Plant plant;
    start_asking_at_once(plant);
    plant.device.identify_errors.assign(1, {ErrorCode::device_silent, "silent", "check the cable"});
    REQUIRE(plant.until([&] { return plant.device.identify_errors.empty(); }));
    const unsigned asked = plant.device.asked;
    REQUIRE(plant.until([&] { return plant.device.asked > asked; }));
    REQUIRE(plant.until([&] { return plant.engine->devices()->front().reachable.value_or(false); }));
    CHECK(plant.logged("silent") == 1);
}

TEST_CASE("a job does not wait for the day to be over") {
    Plant plant;
    plant.start();
    REQUIRE(plant.until([&] { return plant.device.asked >= 1; }));
    plant.engine->on_offer(plant.offer());
    CHECK(plant.until_state(1, db::JobState::succeeded));
}
