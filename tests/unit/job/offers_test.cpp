// Promises about what is handed over: content that keeps failing, packages inside zips, key rotations.
#include <catch2/catch.hpp>

#include "mcu_flasher/package/zip_writer.hpp"
#include "tests/unit/job/plant.hpp"

using namespace mcuota;
using namespace mcuota::job;
using db::JobState;

namespace {

void hear_all(Plant& plant) {
    for (const cloud::Outbox::Item& item : plant.engine->pending("ali", 100))
        plant.engine->acknowledged(item.id);
}

}  // namespace

TEST_CASE("an image that fails its trial is not installed again for ever; a person may") {
    Plant plant;
    plant.device.install_ends = Status::trial_not_confirmed;
    plant.start();
    for (const std::int64_t id : {1, 2}) {
        plant.engine->on_offer(plant.offer());
        REQUIRE(plant.until_state(id, JobState::failed));
        plant.until([&] { return !plant.engine->devices()->front().active_job; });
        hear_all(plant);
    }
    for (int i = 0; i < 3; ++i) {
        plant.engine->on_offer(plant.offer());
        CHECK(plant.told() == std::vector<std::string>{"failure failed_before"});
        CHECK_THAT(plant.cloud_log.encoded.back().error->what,
                   Catch::Contains("version 2.0.0 has failed on pump-1 2 times"));
        CHECK_THAT(plant.cloud_log.encoded.back().error->next, Catch::Contains("mcuota job retry 2"));
        plant.engine->on_offer(plant.offer());  // again before the cloud has heard
        CHECK(plant.told().size() == 1);
        hear_all(plant);
    }
    CHECK(plant.store->jobs({})->size() == 2);
    CHECK(plant.device.installs == 2);

    plant.device.install_ends.reset();
    REQUIRE(plant.wait_for(plant.engine->retry(2, false, {0, "anna"})));
    REQUIRE(plant.until_state(2, JobState::succeeded));
    // Another version was never refused.
    plant.make_package("3.0.0");
    plant.engine->on_offer(plant.offer("3.0.0"));
    REQUIRE(plant.until_state(3, JobState::succeeded));
}

TEST_CASE("what failed for want of a network is tried whenever the cloud offers it") {
    Plant plant;
    plant.start();
    for (const std::int64_t id : {1, 2, 3}) {
        plant.fetch_errors.assign(9, {ErrorCode::download_interrupted, "gone", ""});
        plant.engine->on_offer(plant.offer());
        REQUIRE(plant.until_state(id, JobState::failed));
        hear_all(plant);
    }
    plant.fetch_errors.clear();
    plant.engine->on_offer(plant.offer());
    REQUIRE(plant.until_state(4, JobState::succeeded));
}

TEST_CASE("a zip that holds one package is as good as the package, from a cloud and from a person") {
    for (const bool local : {false, true}) {
        INFO(local);
        Plant plant;
        const Result<package::Bytes> zip = package::zip_of("pump.mcup", plant.package_file);
        REQUIRE(zip);
        plant.package_file = *zip;
        plant.start();
        if (local)
            REQUIRE(plant.install_local());
        else
            plant.engine->on_offer(plant.offer());
        REQUIRE(plant.until_state(1, JobState::succeeded));
        CHECK(plant.device.version == "2.0.0");
    }
}

TEST_CASE("a zip without a package, or with a damaged one, is refused in words") {
    Plant plant;
    plant.start();
    const std::vector<std::uint8_t> good = plant.package_file;
    std::vector<std::uint8_t> bad = good;
    bad[bad.size() / 2] ^= 1;
    std::int64_t id = 0;
    for (const auto& [name, bytes] : {std::pair{"META-INF.json", good}, std::pair{"pump.mcup", bad}}) {
        INFO(name);
        plant.package_file = *package::zip_of(name, bytes);
        plant.engine->on_offer(plant.offer());
        REQUIRE(plant.until_state(++id, JobState::failed));
        CHECK(plant.job(id).error->cls() == ErrorClass::final);
        CHECK_FALSE(plant.job(id).error->what.empty());
        const Result<std::vector<api::InstallView>> installed = plant.install_local();
        REQUIRE_FALSE(installed);
    }
    CHECK(plant.device.staged.empty());
}

TEST_CASE("key rotations a device has not taken go before the package, in order") {
    struct Row {
        std::uint16_t generation;
        std::size_t handed_over;
    };
    for (const Row& row : {Row{0, 2}, Row{1, 1}, Row{2, 0}}) {
        INFO(row.generation);
        Plant plant;
        plant.add_rotation(1);
        plant.add_rotation(2);
        plant.device.key_generation = row.generation;
        plant.device.key_current = plant.key_id();
        plant.start();
        plant.engine->on_offer(plant.offer());
        REQUIRE(plant.until_state(1, JobState::succeeded));
        CHECK(plant.device.rotations.size() == row.handed_over);
        CHECK(plant.device.key_generation == 2);
    }
}

TEST_CASE("a refused key rotation ends the job before a byte of the package is sent") {
    Plant plant;
    plant.add_rotation(1);
    plant.device.key_current = plant.key_id();
    plant.device.refuses_rotation =
        Error{ErrorCode::signature_invalid, "not the next key", "sign it", 0x0202};
    plant.start();
    plant.engine->on_offer(plant.offer());
    REQUIRE(plant.until_state(1, JobState::failed));
    CHECK(plant.job(1).error->code == ErrorCode::signature_invalid);
    CHECK_THAT(plant.job(1).error->what, Catch::Contains("key rotation"));
    CHECK(plant.device.sent.empty());
}
