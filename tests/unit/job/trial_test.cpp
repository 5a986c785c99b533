// A job finds its device with an image on trial that another installation put there.
#include <catch2/catch.hpp>

#include "mcu_flasher/link/image_state.hpp"
#include "tests/unit/job/plant.hpp"

using namespace mcuota;
using namespace mcuota::job;

namespace {

/// The daemon runs, and its job 1 waits for a trial that does not end.
void wait_for_trial(Plant& plant) {
    plant.device.running_state = flasher::kImageOnTrial;
    plant.device.hang_trial = true;
    plant.start();
    plant.engine->on_offer(plant.offer());
    REQUIRE(plant.until([&] { return plant.logged("job 1 waits until that has ended") == 1; }));
    CHECK(plant.device.sent.empty());
}

}  // namespace

TEST_CASE("a job waits out a trial that is not its own, and then installs") {
    Plant plant;
    wait_for_trial(plant);
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

TEST_CASE("a job can be cancelled while it waits for a trial that is not its own") {
    Plant plant;
    wait_for_trial(plant);
    const Result<api::JobView> cancelled = plant.wait_for(plant.engine->cancel(1, {0, "anna"}));
    REQUIRE(cancelled);
    CHECK(cancelled->state == "cancelled");
    plant.stop();
    CHECK(plant.device.installs == 0);
}
