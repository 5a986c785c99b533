// Promises of the engine: whatever fails, hangs or is killed, a job ends as the device says, once.
#include <catch2/catch.hpp>

#include "mcu_flasher/base/hex.hpp"
#include "tests/unit/job/plant.hpp"

using namespace mcuota;
using namespace mcuota::job;
using db::JobState;
using Words = std::vector<std::string>;

TEST_CASE("a push becomes a running image, and only the device's word makes it a success") {
    Plant plant;
    plant.start();
    plant.engine->on_offer(plant.offer());
    REQUIRE(plant.until_state(1, JobState::succeeded));
    CHECK(plant.life(1) ==
          Words{"queued", "downloading", "verifying", "sending", "installing", "trial", "succeeded"});
    const db::JobRecord job = plant.job(1);
    CHECK(job.from_version == "1.0.0");
    CHECK(job.image_sha256 == to_hex(plant.image_sha256));
    CHECK(job.install_token != 0);
    CHECK(job.payload_bytes > 0);
    CHECK(plant.device.installs == 1);
    CHECK(plant.told().back() == "version 2.0.0");
    CHECK(plant.engine->version_of("pump-1") == "2.0.0");
    const Result<api::JobView> view = plant.engine->job(1);
    REQUIRE(view);
    CHECK(view->state == "succeeded");
    CHECK(view->progress.percent == 100);
    CHECK(view->transitions.size() == 7);
}

TEST_CASE(
    "a person's package takes the same road, without a download and without the cloud's failure report") {
    Plant plant;
    plant.start();
    const Result<std::vector<api::InstallView>> views = plant.install_local();
    REQUIRE(views);
    REQUIRE(views->front().job == 1);
    REQUIRE(plant.until_state(1, JobState::succeeded));
    CHECK(plant.fetches == 0);
    CHECK(plant.told().back() == "version 2.0.0");
    CHECK(plant.store->audit("pump-1", {}, 10)->front().who == "anna");
    plant.until([&] { return !plant.engine->devices()->front().active_job; });
    const Result<std::vector<api::InstallView>> again = plant.install_local();
    REQUIRE(again);
    CHECK(again->front().up_to_date);
    CHECK_FALSE(again->front().job);
}

TEST_CASE("a dry run checks everything and starts nothing") {
    Plant plant;
    plant.start();
    const Result<std::vector<api::InstallView>> views = plant.install_local(true);
    REQUIRE(views);
    CHECK(views->front().to_version == "2.0.0");
    CHECK_FALSE(views->front().job);
    CHECK(plant.store->jobs({})->empty());
}

TEST_CASE("killed in any state, the next start brings the job to the same end, and installs once") {
    struct Row {
        JobState at;
        void (*hang)(Plant&, bool);
    };
    const Row rows[] = {
        {JobState::downloading, [](Plant& plant, bool on) { plant.hang_fetch = on; }},
        {JobState::sending, [](Plant& plant, bool on) { plant.device.hang_send = on; }},
        {JobState::trial, [](Plant& plant, bool on) { plant.device.hang_trial = on; }},
    };
    for (const Row& row : rows)
        for (const bool twice : {false, true}) {
            INFO(to_string(row.at) << (twice ? ", twice" : ""));
            Plant plant;
            plant.start();
            row.hang(plant, true);
            plant.engine->on_offer(plant.offer());
            for (int kills = twice ? 2 : 1; kills > 0; --kills) {
                REQUIRE(plant.until_state(1, row.at));
                plant.kill();
                if (kills == 1) row.hang(plant, false);
                plant.start();
            }
            REQUIRE(plant.until_state(1, JobState::succeeded));
            CHECK(plant.device.installs == 1);
            CHECK(plant.job(1).attempts == 1);
        }
}

TEST_CASE("killed between the written token and INSTALL, the device is sent to again") {
    Plant plant;
    plant.start();
    plant.device.install_errors = {{ErrorCode::device_silent, "silent", ""}};
    plant.device.hang_identify = false;
    plant.engine->on_offer(plant.offer());
    REQUIRE(plant.until_state(1, JobState::waiting));
    CHECK(plant.job(1).resume_state == JobState::installing);
    plant.kill();
    plant.start();
    REQUIRE(plant.until_state(1, JobState::succeeded));
    CHECK(plant.device.installs == 1);
    const Words life = plant.life(1);
    CHECK(std::count(life.begin(), life.end(), "sending") == 2);
}

TEST_CASE("a clean stop in any state is quick and resumes") {
    using Hang = void (*)(Plant&, bool);
    const std::pair<JobState, Hang> rows[] = {
        {JobState::downloading, [](Plant& plant, bool on) { plant.hang_fetch = on; }},
        {JobState::sending, [](Plant& plant, bool on) { plant.device.hang_send = on; }},
        {JobState::sending, [](Plant& plant, bool on) { plant.device.hang_identify = on; }},
        {JobState::trial, [](Plant& plant, bool on) { plant.device.hang_trial = on; }},
    };
    for (const auto& [state, hang] : rows) {
        INFO(to_string(state));
        Plant plant;
        plant.start();
        hang(plant, true);
        plant.engine->on_offer(plant.offer());
        REQUIRE(plant.until_state(1, state));
        plant.stop();
        hang(plant, false);
        plant.start();
        CHECK(plant.job(1).state == state);
        REQUIRE(plant.until_state(1, JobState::succeeded));
        CHECK(plant.device.installs == 1);
    }
}

TEST_CASE("an image that fails its trial fails the job, and both sides are told") {
    Plant plant;
    plant.start();
    plant.device.install_ends = Status::trial_not_confirmed;
    plant.engine->on_offer(plant.offer());
    REQUIRE(plant.until_state(1, JobState::failed));
    CHECK(plant.life(1).back() == "failed");
    CHECK(plant.life(1)[plant.life(1).size() - 2] == "reverting");
    const db::JobRecord job = plant.job(1);
    CHECK(job.error->code == ErrorCode::trial_failed);
    CHECK(job.error->what.find("1.0.0 runs again") != std::string::npos);
    CHECK_FALSE(job.error->next.empty());
    CHECK(plant.told().back() == "failure trial_failed");
}

TEST_CASE("errors of every class lead where their class says") {
    struct Row {
        const char* name;
        std::vector<Error> fetch, identify, send, install, follow;
        JobState end;
        ErrorCode code;
    };
    const Error silent{ErrorCode::device_silent, "silent", ""};
    const Error refused{ErrorCode::signature_invalid, "the device refuses", "", 0x0202};
    const Row rows[] = {
        {"network comes back",
         {2, {ErrorCode::download_interrupted, "cut", ""}},
         {},
         {},
         {},
         {},
         JobState::succeeded,
         {}},
        {"network stays away",
         {9, {ErrorCode::download_interrupted, "cut", ""}},
         {},
         {},
         {},
         {},
         JobState::failed,
         ErrorCode::attempts_exhausted},
        {"file gone",
         {{ErrorCode::url_gone, "404", ""}},
         {},
         {},
         {},
         {},
         JobState::failed,
         ErrorCode::url_gone},
        {"disk full",
         {{ErrorCode::disk_full, "full", ""}},
         {},
         {},
         {},
         {},
         JobState::failed,
         ErrorCode::disk_full},
        {"device away for a while", {}, {2, silent}, {}, {}, {}, JobState::succeeded, {}},
        {"link lost while sending",
         {},
         {},
         {1, {ErrorCode::link_lost, "gone", ""}},
         {},
         {},
         JobState::succeeded,
         {}},
        {"device refuses the package",
         {},
         {},
         {refused},
         {},
         {},
         JobState::failed,
         ErrorCode::signature_invalid},
        {"device refuses to install",
         {},
         {},
         {},
         {refused},
         {},
         JobState::failed,
         ErrorCode::signature_invalid},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Plant plant;
        plant.start();
        REQUIRE(plant.until([&] { return plant.device.asked > 0; }));
        plant.fetch_errors = row.fetch;
        plant.device.identify_errors = row.identify;
        plant.device.send_errors = row.send;
        plant.device.install_errors = row.install;
        plant.engine->on_offer(plant.offer());
        REQUIRE(plant.until_state(1, row.end));
        if (row.end == JobState::succeeded) continue;
        CHECK(plant.job(1).error->code == row.code);
        CHECK(plant.told().back().starts_with("failure "));
        CHECK(plant.device.installs == 0);
        CHECK(plant.device.version == "1.0.0");
    }
}

TEST_CASE("packages that may not run never reach the device") {
    struct Row {
        const char* name;
        std::function<void(Plant&, cloud::Offer&)> spoil;
        ErrorCode code;
    };
    const Row rows[] = {
        {"truncated", [](Plant& plant, cloud::Offer&) { plant.package_file.resize(200); },
         ErrorCode::package_truncated},
        {"not a package", [](Plant& plant, cloud::Offer&) { plant.package_file.assign(500, 'x'); },
         ErrorCode::package_malformed},
        {"another version than announced", [](Plant&, cloud::Offer& offer) { offer.version = "2.0.1"; },
         ErrorCode::version_mismatch},
        {"other hardware", [](Plant& plant, cloud::Offer&) { plant.make_package("2.0.0", "other-board"); },
         ErrorCode::wrong_hardware},
        {"signed by a stranger",
         [](Plant& plant, cloud::Offer&) {
             Plant stranger;
             plant.package_file = stranger.package_file;
         },
         ErrorCode::key_unknown},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Plant plant;
        plant.start();
        cloud::Offer offer = plant.offer();
        row.spoil(plant, offer);
        plant.engine->on_offer(offer);
        REQUIRE(plant.until_state(1, JobState::failed));
        CHECK(plant.job(1).error->code == row.code);
        CHECK_FALSE(plant.job(1).error->what.empty());
        CHECK(plant.device.staged.empty());
    }
}

TEST_CASE("another chip than the configured one is not written") {
    Plant plant;
    plant.device.hardware = "other-board";
    plant.start();
    plant.engine->on_offer(plant.offer());
    REQUIRE(plant.until_state(1, JobState::failed));
    CHECK(plant.job(1).error->code == ErrorCode::device_mismatch);
    CHECK(plant.device.staged.empty());
}

TEST_CASE("an expired address is replaced by the cloud and the job goes on") {
    Plant plant;
    plant.start();
    plant.fetch_errors = {{ErrorCode::url_expired, "403", ""}};
    plant.engine->on_offer(plant.offer("2.0.0", "https://x/p?sig=old"));
    REQUIRE(plant.until([&] { return !plant.cloud_log.offers_requested.empty(); }));
    CHECK(plant.job(1).wait_reason == db::WaitReason::new_url);
    plant.engine->on_offer(plant.offer("2.0.0", "https://x/p?sig=new"));
    REQUIRE(plant.until_state(1, JobState::succeeded));
    CHECK(plant.job(1).url == "https://x/p?sig=new");
    CHECK(plant.store->jobs({})->size() == 1);
}

TEST_CASE("the cloud is asked again for an address, but not forever") {
    Plant plant;
    plant.start();
    plant.fetch_errors = {{ErrorCode::url_expired, "403", ""}};
    plant.engine->on_offer(plant.offer());
    REQUIRE(plant.until_state(1, JobState::failed));
    CHECK(plant.cloud_log.offers_requested.size() == 3);
    CHECK(plant.job(1).error->code == ErrorCode::url_expired);
}

TEST_CASE("a repeated push is the same job; another version replaces it") {
    Plant plant;
    plant.start();
    plant.hang_fetch = true;
    plant.engine->on_offer(plant.offer());
    REQUIRE(plant.until_state(1, JobState::downloading));
    plant.engine->on_offer(plant.offer());
    CHECK(plant.store->jobs({})->size() == 1);
    plant.make_package("3.0.0");
    plant.hang_fetch = false;
    plant.engine->on_offer(plant.offer("3.0.0"));
    REQUIRE(plant.until_state(2, JobState::succeeded));
    CHECK(plant.job(1).state == JobState::cancelled);
    CHECK(plant.job(1).error->code == ErrorCode::superseded);
    CHECK(plant.device.version == "3.0.0");
    CHECK(plant.device.installs == 1);
}

TEST_CASE("another version waits while the device decides") {
    Plant plant;
    plant.start();
    plant.device.hang_trial = true;
    plant.engine->on_offer(plant.offer());
    REQUIRE(plant.until_state(1, JobState::trial));
    plant.make_package("3.0.0");
    plant.engine->on_offer(plant.offer("3.0.0"));
    CHECK(plant.job(2).state == JobState::queued);
    CHECK(plant.job(1).state == JobState::trial);
    plant.kill();
    plant.device.hang_trial = false;
    plant.start();
    REQUIRE(plant.until_state(2, JobState::succeeded));
    CHECK(plant.job(1).state == JobState::succeeded);
    CHECK(plant.device.installs == 2);
}

TEST_CASE("what succeeded is told again, not installed again") {
    Plant plant;
    plant.start();
    plant.engine->on_offer(plant.offer());
    REQUIRE(plant.until_state(1, JobState::succeeded));
    for (const cloud::Outbox::Item& item : plant.engine->pending("ali", 100))
        plant.engine->acknowledged(item.id);
    CHECK(plant.told().empty());
    plant.engine->on_offer(plant.offer());
    CHECK(plant.told() == Words{"version 2.0.0"});
    CHECK(plant.store->jobs({})->size() == 1);
}

TEST_CASE("a device that keeps silent is asked a few times, then left in peace until somebody asks") {
    Plant plant("no cloud");
    plant.device.identify_errors.assign(50, {ErrorCode::device_silent, "silent", "check the cable"});
    plant.start();
    REQUIRE(plant.until([&] { return plant.device.asked == 1; }));
    const Result<std::vector<api::DeviceView>> devices = plant.engine->devices();
    REQUIRE(plant.until([&] { return plant.engine->devices()->front().error.has_value(); }));
    CHECK(plant.engine->devices()->front().reachable == false);
    plant.device.identify_errors.clear();
    const Result<api::DeviceView> view = plant.wait_for(plant.engine->refresh("pump-1"));
    REQUIRE(view);
    CHECK(view->reachable == true);
    CHECK(view->running->version == "1.0.0");
    CHECK((*plant.store->device("pump-1"))->running.version == "1.0.0");
    CHECK(plant.wait_for(plant.engine->refresh("nobody")).error().code == ErrorCode::not_found);
}

TEST_CASE("with a full disk nothing is done that was not written down") {
    Plant plant;
    plant.start();
    REQUIRE(plant.until([&] { return plant.device.asked > 0; }));
    plant.hang_fetch = true;
    plant.engine->on_offer(plant.offer());
    REQUIRE(plant.until_state(1, JobState::downloading));
    // The database may not grow any more: fill what is free, then go on.
    REQUIRE(plant.store->limit_pages(1));
    const std::string filler(3'000, 'f');
    std::int64_t filled = 0;
    while (plant.store->save_package({filler + std::to_string(filled), 1, 1, 1}))
        ++filled;
    cloud::Offer other = plant.offer("9.9.9");
    other.url = std::string(8'000, 'u');
    plant.engine->on_offer(other);
    CHECK(plant.store->jobs({})->size() == 1);
    CHECK(plant.job(1).state == JobState::downloading);
    REQUIRE(plant.store->limit_pages(1'000'000));
    plant.hang_fetch = false;
    plant.make_package("9.9.9");
    plant.engine->on_offer(plant.offer("9.9.9"));
    REQUIRE(plant.until_state(2, JobState::succeeded));
}

TEST_CASE("a bad offer is told to the cloud and makes no job") {
    Plant plant;
    plant.start();
    plant.engine->on_bad_offer("ali", "pump-1", {ErrorCode::offer_malformed, "no version", ""});
    CHECK(plant.told().back() == "failure offer_malformed");
    cloud::Offer stranger = plant.offer();
    stranger.device = "nobody";
    plant.engine->on_offer(stranger);
    CHECK(plant.store->jobs({})->empty());
}

TEST_CASE("local requests that cannot work are refused with words") {
    Plant plant;
    plant.start();
    api::InstallRequest request;
    request.package_sha256 = std::string(64, '0');
    request.devices = {"pump-1"};
    CHECK(plant.wait_for(plant.engine->install(request)).error().code == ErrorCode::not_found);
    plant.make_package("2.0.0", "other-board");
    CHECK(plant.install_local().error().code == ErrorCode::wrong_hardware);
    plant.package_file.assign(100, 'x');
    CHECK(plant.install_local().error().code == ErrorCode::package_malformed);
    CHECK(plant.store->jobs({})->empty());
}

TEST_CASE("what nobody needs any more leaves the cache at the next start") {
    Plant plant;
    plant.start();
    plant.device.hang_send = true;
    plant.engine->on_offer(plant.offer());
    REQUIRE(plant.until_state(1, JobState::sending));
    const std::string needed = plant.job(1).package_sha256;
    plant.make_package("5.0.0");
    REQUIRE(plant.install_local(true));
    CHECK(plant.store->packages()->size() == 2);
    plant.stop();
    plant.start();
    REQUIRE(plant.store->packages()->size() == 1);
    CHECK(plant.store->packages()->front().sha256 == needed);
    plant.device.hang_send = false;
}

TEST_CASE("everybody who listens hears of changes") {
    Plant plant;
    plant.start();
    Words states;
    std::uint8_t most = 0;
    const std::uint64_t subscription = plant.engine->subscribe([&](const api::Event& event) {
        if (const auto* job = std::get_if<api::JobView>(&event)) {
            if (states.empty() || states.back() != job->state) states.push_back(job->state);
            if (job->state != "succeeded") most = std::max(most, job->progress.percent);
        }
    });
    plant.engine->on_offer(plant.offer());
    REQUIRE(plant.until([&] { return !states.empty() && states.back() == "succeeded"; }));
    CHECK(states ==
          Words{"queued", "downloading", "verifying", "sending", "installing", "trial", "succeeded"});
    CHECK(most < 100);
    plant.engine->unsubscribe(subscription);
}
