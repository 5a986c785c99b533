// A person stops a job, and starts it over.
#include <catch2/catch.hpp>

#include "tests/unit/job/plant.hpp"

using namespace mcuota;
using namespace mcuota::job;
using db::JobState;

namespace {

const api::Caller anna{0, "anna"};

/// The daemon runs, and its job 1 stands in a transfer that does not end.
void hang_in_sending(Plant& plant) {
    plant.start();
    plant.device.hang_send = true;
    plant.engine->on_offer(plant.offer());
    REQUIRE(plant.until_state(1, JobState::sending));
}

}  // namespace

TEST_CASE("cancelling works until the device was asked to install") {
    {
        Plant plant;
        hang_in_sending(plant);
        const Result<api::JobView> cancelled = plant.wait_for(plant.engine->cancel(1, anna));
        REQUIRE(cancelled);
        CHECK(cancelled->state == "cancelled");
        CHECK(plant.told().back() == "failure cancelled");
        CHECK(plant.device.installs == 0);
        CHECK(plant.wait_for(plant.engine->cancel(1, anna)).error().code == ErrorCode::wrong_state);
        plant.device.hang_send = false;
        REQUIRE(plant.wait_for(plant.engine->retry(1, true, anna)));
        REQUIRE(plant.until_state(1, JobState::succeeded));
        CHECK(plant.job(1).full_only);
    }
    Plant plant;
    plant.start();
    plant.device.hang_trial = true;
    plant.engine->on_offer(plant.offer());
    REQUIRE(plant.until_state(1, JobState::trial));
    const Result<api::JobView> late = plant.wait_for(plant.engine->cancel(1, anna));
    REQUIRE_FALSE(late);
    CHECK(late.error().what.find("too late") != std::string::npos);
    CHECK(plant.wait_for(plant.engine->cancel(99, anna)).error().code == ErrorCode::not_found);
}

TEST_CASE("a job started over before its cancelled step has ended begins anew") {
    Plant plant;
    hang_in_sending(plant);
    plant.device.hang_send = false;
    // Both in one turn: the worker has not seen the end of its step in between.
    const auto both = [&]() -> boost::asio::awaitable<Result<api::JobView>> {
        const Result<api::JobView> cancelled = co_await plant.engine->cancel(1, anna);
        if (!cancelled) co_return cancelled.error();
        co_return co_await plant.engine->retry(1, true, anna);
    };
    const Result<api::JobView> again = plant.wait_for(both());
    INFO((again ? "" : again.error().line()));
    REQUIRE(again);
    CHECK(again->state == "queued");
    REQUIRE(plant.until_state(1, JobState::succeeded));
    CHECK(plant.job(1).full_only);
    CHECK(plant.device.installs == 1);
}
