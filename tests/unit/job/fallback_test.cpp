// Promises of the engine when a device refuses a payload: the next one, by itself, told and written down.
#include <catch2/catch.hpp>

#include "mcu_flasher/base/hex.hpp"
#include "tests/unit/job/plant.hpp"

using namespace mcuota;
using namespace mcuota::job;
using db::JobState;
using Kinds = std::vector<PayloadKind>;

namespace {

constexpr PayloadKind kFull = PayloadKind::lzma_thumb;  // the full image of the plant's package

/// A package with two deltas and a full image that costs more.
void with_deltas(Plant& plant) {
    plant.add_payload(PayloadKind::relocated, 10);
    plant.add_payload(PayloadKind::hdiff13, 20);
}

std::string transitions(Plant& plant, std::int64_t job) {
    const Result<std::vector<db::TransitionRecord>> steps = plant.store->transitions(job);
    REQUIRE(steps);
    std::string all;
    for (const db::TransitionRecord& step : *steps)
        all += step.reason + "\n";
    return all;
}

}  // namespace

TEST_CASE("a device is given the cheapest payload that fits what it reports") {
    struct Row {
        const char* name;
        std::function<void(FakeDevice&)> device;
        Kinds sent;
        const char* word;
    };
    const Row rows[] = {
        {"base runs", [](FakeDevice&) {}, {PayloadKind::relocated}, "relocated, 10 bytes"},
        {"another base runs",
         [](FakeDevice& device) { device.running[0] = 9; },
         {kFull},
         "not relocated, 10 bytes: it starts from image"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Plant plant;
        with_deltas(plant);
        row.device(plant.device);
        plant.start();
        plant.engine->on_offer(plant.offer());
        REQUIRE(plant.until_state(1, JobState::succeeded));
        CHECK(plant.device.sent == row.sent);
        CHECK(plant.job(1).payload_kind == package::to_string(row.sent.back()));
        CHECK(plant.job(1).attempts == 1);
        CHECK_THAT(transitions(plant, 1), Catch::Contains(row.word));
    }
}

TEST_CASE("a refused payload is followed by the next cheapest, whenever the device refuses it") {
    using Refusals = std::map<PayloadKind, Status>;
    struct Row {
        const char* name;
        Refusals finish, rehearsal;
        Kinds sent;
    };
    const Row rows[] = {
        {"another base, at the end of the transfer",
         {{PayloadKind::relocated, Status::base_mismatch}},
         {},
         {PayloadKind::relocated, PayloadKind::hdiff13}},
        {"too little memory, then another base",
         {{PayloadKind::relocated, Status::memory_budget}, {PayloadKind::hdiff13, Status::base_mismatch}},
         {},
         {PayloadKind::relocated, PayloadKind::hdiff13, kFull}},
        {"damaged patch, found in rehearsal",
         {},
         {{PayloadKind::relocated, Status::payload_malformed}},
         {PayloadKind::relocated, PayloadKind::hdiff13}},
        {"both deltas yield another image, found in rehearsal",
         {},
         {{PayloadKind::relocated, Status::image_hash_mismatch},
          {PayloadKind::hdiff13, Status::image_hash_mismatch}},
         {PayloadKind::relocated, PayloadKind::hdiff13, kFull}},
        {"a loader that does not know the kind after all",
         {{PayloadKind::relocated, Status::payload_unsupported}},
         {{PayloadKind::hdiff13, Status::payload_hash_mismatch}},
         {PayloadKind::relocated, PayloadKind::hdiff13, kFull}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Plant plant;
        with_deltas(plant);
        plant.device.refuses_at_finish = row.finish;
        plant.device.refuses_in_rehearsal = row.rehearsal;
        plant.start();
        plant.engine->on_offer(plant.offer());
        REQUIRE(plant.until_state(1, JobState::succeeded));
        CHECK(plant.device.sent == row.sent);
        CHECK(plant.device.installs == 1);
        const db::JobRecord job = plant.job(1);
        CHECK(job.payload_kind == package::to_string(row.sent.back()));
        CHECK(job.attempts == row.sent.size());
        CHECK_FALSE(job.error);
        CHECK_THAT(transitions(plant, 1), Catch::Contains("relocated passed over: "));
        CHECK_THAT(transitions(plant, 1), Catch::Contains("next is hdiff13, 20 bytes"));
        CHECK(plant.told().back() == "version 2.0.0");
        const Result<std::vector<db::AuditRecord>> trail = plant.store->audit("pump-1", {}, 100);
        REQUIRE(trail);
        std::size_t audited = 0;
        for (const db::AuditRecord& entry : *trail)
            if (entry.action == "fall_back") {
                ++audited;
                CHECK(entry.job == 1);
                CHECK_THAT(entry.detail, Catch::Contains("passed over"));
            }
        CHECK(audited == row.sent.size() - 1);
    }
}

TEST_CASE("when the device refuses every payload the job fails with the last reason, and retry begins anew") {
    Plant plant;
    with_deltas(plant);
    for (const PayloadKind kind : {PayloadKind::relocated, PayloadKind::hdiff13, kFull})
        plant.device.refuses_at_finish[kind] = Status::memory_budget;
    plant.start();
    plant.engine->on_offer(plant.offer());
    REQUIRE(plant.until_state(1, JobState::failed));
    CHECK(plant.job(1).error->code == ErrorCode::memory_budget_exceeded);
    CHECK(plant.device.installs == 0);
    const std::size_t sent = plant.device.sent.size();
    CHECK(sent == 3);
    plant.device.refuses_at_finish.clear();
    plant.until([&] { return !plant.engine->devices()->front().active_job; });
    REQUIRE(plant.wait_for(plant.engine->retry(1, true, {0, "anna"})));
    REQUIRE(plant.until_state(1, JobState::succeeded));
    CHECK(plant.device.sent.size() == sent + 1);
    CHECK(plant.device.sent.back() == kFull);
}

TEST_CASE("a kill between refusal and fallback does not bring the refused payload back") {
    Plant plant;
    with_deltas(plant);
    plant.device.refuses_at_finish[PayloadKind::relocated] = Status::base_mismatch;
    plant.start();
    plant.device.on_refusal = [&plant] { plant.device.hang_send = true; };
    plant.engine->on_offer(plant.offer());
    REQUIRE(plant.until([&] { return plant.device.hang_send && plant.job(1).payloads_refused != 0; }));
    plant.kill();
    plant.device.hang_send = false;
    plant.start();
    REQUIRE(plant.until_state(1, JobState::succeeded));
    CHECK(plant.device.sent == Kinds{PayloadKind::relocated, PayloadKind::hdiff13});
}

TEST_CASE("what a failed job has come to stays to be seen") {
    Plant plant;
    plant.device.install_ends = Status::trial_not_confirmed;
    plant.start();
    REQUIRE(plant.install_local());
    REQUIRE(plant.until_state(1, JobState::failed));
    plant.until([&] { return !plant.engine->devices()->front().active_job; });
    CHECK(plant.engine->job(1)->progress.percent >= 90);
    plant.device.hang_send = true;
    REQUIRE(plant.wait_for(plant.engine->retry(1, false, {0, "anna"})));
    REQUIRE(plant.until_state(1, JobState::sending));
    CHECK(plant.engine->job(1)->progress.percent < 90);

    Plant other;
    other.device.install_ends = Status::trial_not_confirmed;
    other.start();
    REQUIRE(other.install_local());
    REQUIRE(other.until_state(1, JobState::failed));
    other.stop();
    other.start();
    CHECK(other.engine->job(1)->progress.percent >= 90);
}
