// A device that a job finds with an image on trial nobody here has asked for.
#include <catch2/catch.hpp>

#include "mcu_flasher/link/image_state.hpp"
#include "tests/unit/job/plant.hpp"

using namespace mcuota;
using namespace mcuota::job;

TEST_CASE("a job waits out a trial that is not its own, and then installs") {
    Plant plant;
    plant.device.running_state = flasher::kImageOnTrial;
    plant.device.hang_trial = true;
    plant.start();
    plant.engine->on_offer(plant.offer());
    REQUIRE(plant.until([&] { return plant.logged("job 1 waits until that has ended") == 1; }));
    CHECK(plant.device.sent.empty());
    plant.device.hang_trial = false;
    plant.kill();
    plant.start();
    REQUIRE(plant.until_state(1, db::JobState::succeeded));
    CHECK(plant.device.installs == 1);
}

TEST_CASE("a trial that does not end in time is asked about again later") {
    Plant plant;
    plant.device.running_state = flasher::kImageOnTrial;
    plant.device.follow_errors = {{ErrorCode::device_busy, "still tries 1.9.0", "try again"}};
    plant.start();
    plant.engine->on_offer(plant.offer());
    REQUIRE(plant.until_state(1, db::JobState::waiting));
    REQUIRE(plant.job(1).error);
    CHECK(plant.job(1).error->code == ErrorCode::device_busy);
    CHECK(plant.device.sent.empty());
    plant.kill();
    plant.start();
    REQUIRE(plant.until_state(1, db::JobState::succeeded));
    CHECK(plant.device.installs == 1);
}
