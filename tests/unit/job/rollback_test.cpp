// Going back to the backup image on a person's word, through the real engine and store.
#include <catch2/catch.hpp>

#include "tests/unit/job/plant.hpp"

using namespace mcuota;
using namespace mcuota::job;
using db::JobState;

namespace {

const api::Caller kAnna{0, "anna"};

/// pump-1 runs 2.0.0 and keeps 1.0.0 as its backup.
void update(Plant& plant) {
    plant.start();
    plant.engine->on_offer(plant.offer());
    REQUIRE(plant.until_state(1, JobState::succeeded));
    for (const cloud::Outbox::Item& item : plant.engine->pending("ali", 100))
        plant.engine->acknowledged(item.id);
}

}  // namespace

TEST_CASE("a rollback brings the backup image back, fetches nothing and tells the cloud the version") {
    Plant plant;
    update(plant);
    const unsigned fetches = plant.fetches;
    const Result<api::JobView> job = plant.wait_for(plant.engine->rollback("pump-1", kAnna));
    REQUIRE(job);
    CHECK(job->id == 2);
    CHECK(job->to_version == "1.0.0");
    CHECK(job->source.kind == "local");
    REQUIRE(plant.until_state(2, JobState::succeeded));
    CHECK(plant.device.version == "1.0.0");
    CHECK(plant.device.rollbacks == 1);
    CHECK(plant.fetches == fetches);
    CHECK(plant.told() == std::vector<std::string>{"version 1.0.0"});
    CHECK(plant.job(2).payload_kind == "backup");
    // What was put back stays the backup: there is nothing else to go back to.
    CHECK(plant.wait_for(plant.engine->rollback("pump-1", kAnna)).error().code == ErrorCode::nothing_to_do);
    CHECK(plant.device.rollbacks == 1);
}

TEST_CASE("what a rollback shows of itself never goes back") {
    Plant plant;
    update(plant);
    std::vector<std::pair<std::string, unsigned>> shown;
    const std::uint64_t subscription = plant.engine->subscribe([&](const api::Event& event) {
        const auto* job = std::get_if<api::JobView>(&event);
        if (job != nullptr && job->id == 2) shown.emplace_back(job->progress.step, job->progress.percent);
    });
    REQUIRE(plant.wait_for(plant.engine->rollback("pump-1", kAnna)));
    REQUIRE(plant.until([&] { return !shown.empty() && shown.back().second == 100; }));
    plant.engine->unsubscribe(subscription);
    unsigned before = 0;
    std::vector<std::string> steps;
    for (const auto& [step, percent] : shown) {
        INFO(step << " " << percent);
        CHECK(percent >= before);
        before = percent;
        if (steps.empty() || steps.back() != step) steps.push_back(step);
        if (step == "restore") CHECK(percent < 95);  // the verification is still to come
    }
    CHECK(steps ==
          std::vector<std::string>{"queue", "send", "connect", "check", "restore", "verify", "done"});
}

TEST_CASE("a job that has ended says when, to who asked for it and to who listens") {
    Plant plant;
    plant.device.hang_send = true;
    plant.start();
    plant.engine->on_offer(plant.offer());
    REQUIRE(plant.until_state(1, JobState::sending));
    std::optional<api::JobView> heard;
    const std::uint64_t subscription = plant.engine->subscribe([&](const api::Event& event) {
        const auto* job = std::get_if<api::JobView>(&event);
        if (job != nullptr && job->state == "cancelled") heard = *job;
    });
    const Result<api::JobView> answered = plant.wait_for(plant.engine->cancel(1, kAnna));
    REQUIRE(answered);
    REQUIRE(plant.until([&] { return heard.has_value(); }));
    plant.engine->unsubscribe(subscription);
    const db::JobRecord stored = plant.job(1);
    REQUIRE(stored.finished_at_ms);
    CHECK(answered->finished_at_ms == stored.finished_at_ms);
    CHECK(answered->updated_at_ms == stored.updated_at_ms);
    CHECK(heard->finished_at_ms == stored.finished_at_ms);
    CHECK(heard->updated_at_ms == stored.updated_at_ms);
}

TEST_CASE("a rollback asked for while the gateway dies is done once") {
    Plant plant;
    update(plant);
    plant.device.hang_trial = true;
    REQUIRE(plant.wait_for(plant.engine->rollback("pump-1", kAnna)));
    REQUIRE(plant.until([&] { return plant.device.rollbacks == 1; }));
    // The same wish while it runs is the same job.
    CHECK(plant.wait_for(plant.engine->rollback("pump-1", kAnna)).error().code == ErrorCode::wrong_state);
    plant.kill();
    plant.device.hang_trial = false;
    plant.start();
    REQUIRE(plant.until_state(2, JobState::succeeded));
    CHECK(plant.device.rollbacks == 1);
    CHECK(plant.device.version == "1.0.0");
}

TEST_CASE("without a sound backup nothing is promised") {
    Plant plant;
    plant.start();
    CHECK(plant.wait_for(plant.engine->rollback("pump-1", kAnna)).error().code == ErrorCode::not_found);
    CHECK(plant.wait_for(plant.engine->rollback("nobody", kAnna)).error().code == ErrorCode::not_found);
    CHECK(plant.store->jobs({})->empty());

    plant.engine->on_offer(plant.offer());
    REQUIRE(plant.until_state(1, JobState::succeeded));
    plant.device.backup_breaks = true;
    REQUIRE(plant.wait_for(plant.engine->rollback("pump-1", kAnna)));
    REQUIRE(plant.until_state(2, JobState::failed));
    REQUIRE(plant.job(2).error);
    CHECK(plant.job(2).error->what.find("backup image's bytes are damaged") != std::string::npos);
    CHECK(plant.device.version == "2.0.0");
    // One the device knows to be damaged is not even tried, and its state is told.
    plant.device.backup_damaged = true;
    const Result<api::JobView> damaged = plant.wait_for(plant.engine->rollback("pump-1", kAnna));
    REQUIRE_FALSE(damaged);
    CHECK(damaged.error().code == ErrorCode::device_storage_failed);
    CHECK(damaged.error().what.find("1.0.0 of pump-1 is damaged") != std::string::npos);
    CHECK(plant.engine->devices()->front().backup->state == "damaged");
    CHECK(plant.job(2).state == JobState::failed);
    // A device that does not answer is no promise either.
    plant.device.identify_errors.assign(50, {ErrorCode::device_silent, "silent", "check the cable"});
    CHECK(plant.wait_for(plant.engine->rollback("pump-1", kAnna)).error().code == ErrorCode::device_silent);
}

TEST_CASE("a backup that has become another image since is not put back under the old name") {
    Plant plant;
    update(plant);
    plant.device.hang_send = true;
    plant.make_package("3.0.0");
    plant.engine->on_offer(plant.offer("3.0.0"));
    REQUIRE(plant.until_state(2, JobState::sending));
    REQUIRE(plant.wait_for(plant.engine->rollback("pump-1", kAnna)));
    CHECK(plant.job(3).state == JobState::queued);
    // Before its turn comes, somebody else changes what the device keeps.
    plant.device.backup[0] ^= 0xFF;
    REQUIRE(plant.wait_for(plant.engine->cancel(2, kAnna)));
    REQUIRE(plant.until_state(3, JobState::failed));
    CHECK(plant.job(3).error->code == ErrorCode::wrong_state);
    CHECK(plant.device.rollbacks == 0);
}
