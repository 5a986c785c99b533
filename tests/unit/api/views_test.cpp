// The released JSON keys and times: exact, because scripts rely on them.
#include "daemon/api/views.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace mcuota;
using namespace mcuota::api;
namespace json = boost::json;

namespace {

std::vector<std::string> keys_of(const json::object& object) {
    std::vector<std::string> out;
    for (const auto& member : object)
        out.emplace_back(member.key());
    return out;
}

JobView full_job() {
    JobView job;
    job.id = 192;
    job.device = "pump-3";
    job.hardware = "stm32f429-demo";
    job.source = {"cloud", "plant-cloud", "1700000000123"};
    job.state = "waiting";
    job.from_version = "1.0.0";
    job.to_version = "2.0.0";
    job.payload_kind = "lzma";
    job.payload_bytes = 123456;
    job.progress = {"backoff", 40, 61728, 123456, 9000};
    job.attempts = 2;
    job.error = Error{ErrorCode::device_silent, "pump-3 does not answer", "check the cable", 0};
    job.created_at_ms = 1'700'000'000'123;
    job.updated_at_ms = 1'700'000'001'000;
    return job;
}

}  // namespace

TEST_CASE("a job has exactly the released keys", "[api]") {
    CHECK(
        json::serialize(to_json(full_job())) ==
        R"({"id":192,"device":"pump-3","hardware":"stm32f429-demo",)"
        R"("source":{"kind":"cloud","provider":"plant-cloud","request_id":"1700000000123"},)"
        R"("state":"waiting","from_version":"1.0.0","to_version":"2.0.0",)"
        R"("payload":{"kind":"lzma","bytes":123456},)"
        R"("progress":{"step":"backoff","percent":40,"bytes":61728,"bytes_total":123456,"bytes_per_second":9000},)"
        R"("attempts":2,)"
        R"("error":{"code":"device_silent","class":"transient","message":"pump-3 does not answer","next":"check the cable"},)"
        R"("created_at":"2023-11-14T22:13:20.123Z","updated_at":"2023-11-14T22:13:21.000Z","finished_at":null})");
}

TEST_CASE("what is not known about a job is null, never an empty text", "[api]") {
    JobView job;
    job.id = 1;
    job.device = "a";
    job.state = "queued";
    job.source.kind = "local";
    job.progress.step = "queue";
    const json::object out = to_json(job);
    CHECK(out.at("hardware").is_null());
    CHECK(out.at("source").at("request_id").is_null());
    CHECK(out.at("from_version").is_null());
    CHECK(out.at("payload").at("kind").is_null());
    CHECK(out.at("payload").at("bytes").is_null());
    CHECK(out.at("error").is_null());
    CHECK(out.at("finished_at").is_null());
    CHECK(out.at("progress").at("percent") == 0);
}

TEST_CASE("one job on request carries its transitions", "[api]") {
    JobView job = full_job();
    job.transitions = {{1'700'000'000'123, "", "queued", "asked by plant-cloud"},
                       {1'700'000'000'200, "queued", "downloading", "its turn"}};
    const json::object out = to_json_with_transitions(job);
    CHECK(keys_of(out).back() == "transitions");
    CHECK(json::serialize(out.at("transitions")) ==
          R"([{"at":"2023-11-14T22:13:20.123Z","from":null,"to":"queued","reason":"asked by plant-cloud"},)"
          R"({"at":"2023-11-14T22:13:20.200Z","from":"queued","to":"downloading","reason":"its turn"}])");
    CHECK_FALSE(to_json(job).contains("transitions"));
}

TEST_CASE("device, cloud, status, package and install answers have exactly the released keys", "[api]") {
    using Keys = std::vector<std::string>;
    CHECK(keys_of(to_json(DeviceView{})) ==
          Keys{"name", "hardware", "link", "cloud", "module", "reachable", "seen_at", "role", "unique_id",
               "loader_version", "agent_version", "running", "backup", "security_counter_floor",
               "stay_reason", "error", "active_job"});
    DeviceView device;
    device.running = ImageView{"1.0.0", "confirmed", "00ff", 1234, 3};
    CHECK(keys_of(to_json(device).at("running").as_object()) ==
          Keys{"version", "state", "sha256", "bytes", "security_counter"});
    CHECK(keys_of(to_json(CloudView{})) ==
          Keys{"name", "provider", "host", "up", "why", "since", "reports_pending"});
    CHECK(keys_of(to_json(StatusView{})) == Keys{"daemon", "clouds", "devices", "jobs", "failures"});
    CHECK(keys_of(to_json(StatusView{}).at("daemon").as_object()) ==
          Keys{"running", "version", "started_at", "state_dir"});
    PackageView package;
    package.entries.push_back({"hw", "2.0.0", 1, 100, "aa", "bb", {"lzma"}});
    CHECK(keys_of(to_json(package)) == Keys{"sha256", "bytes", "entries"});
    CHECK(keys_of(to_json(package).at("entries").at(0).as_object()) ==
          Keys{"hardware", "version", "security_counter", "image_bytes", "image_sha256", "key_id",
               "payload_kinds"});
    CHECK(keys_of(to_json(InstallView{})) ==
          Keys{"device", "job", "up_to_date", "from_version", "to_version", "payload"});
}

TEST_CASE("an error without words of its own shows what its code means", "[api]") {
    const json::object out = to_json(Error{ErrorCode::disk_full, "", "", 0});
    CHECK(out.at("message") == "no space left on the gateway");
    CHECK(out.at("class") == "needs_operator");
}

TEST_CASE("times are RFC 3339 in UTC and read back to the millisecond", "[api]") {
    struct Row {
        const char* text;
        TimeMs ms;
    };
    const Row rows[] = {
        {"1970-01-01T00:00:00.000Z", 0},
        {"2026-11-21T10:00:00.250Z", 1'795'255'200'250},
        {"2000-02-29T23:59:59.999Z", 951'868'799'999},
        {"1969-12-31T23:59:59.999Z", -1},
    };
    for (const Row& row : rows) {
        INFO(row.text);
        CHECK(rfc3339(row.ms) == row.text);
        CHECK(*parse_time(row.text, 0) == row.ms);
    }
}

TEST_CASE("times given by people: offsets, dates and ages", "[api]") {
    const TimeMs now_ms = 1'795'255'200'000;  // 2026-11-21T10:00:00Z
    struct Row {
        const char* text;
        TimeMs ms;
    };
    const Row rows[] = {
        {"2026-11-21T11:00:00+01:00", now_ms},
        {"2026-11-21T05:30:00-04:30", now_ms},
        {"2026-11-21", now_ms - 36'000'000},
        {"2026-11-21 10:00:00Z", now_ms},
        {"90s", now_ms - 90'000},
        {"15m", now_ms - 900'000},
        {"2h", now_ms - 7'200'000},
        {"3d", now_ms - 259'200'000},
        {"2026-11-21T10:00:00.5Z", now_ms + 500},
    };
    for (const Row& row : rows) {
        INFO(row.text);
        const auto read = parse_time(row.text, now_ms);
        REQUIRE(read);
        CHECK(*read == row.ms);
    }
}

TEST_CASE("text that is no time is refused with examples of good ones", "[api]") {
    for (const char* text :
         {"", "now", "2026-13-01", "2026-02-30", "2026-11-21T", "2026-11-21T25:00:00Z", "2026-11-21T10:00:00",
          "2026-11-21T10:00:00+1", "2026-11-21T10:00:00.Z", "2026-11-21x10:00:00Z", "5", "-5m", "5y",
          "99999999999999999999d", "20261121", "2026-1-1", "2026-11-21T10:00:00Zjunk"}) {
        INFO(text);
        const auto read = parse_time(text, 0);
        REQUIRE_FALSE(read);
        CHECK(read.error().code == ErrorCode::usage);
        CHECK(read.error().next.find("RFC 3339") != std::string::npos);
    }
}

TEST_CASE("the states are those of the operator's surface", "[api]") {
    CHECK(is_job_state("reverting"));
    CHECK_FALSE(is_job_state("probation"));
    for (const std::string_view state : kJobStates)
        CHECK(is_finished(state) == (state == "succeeded" || state == "failed" || state == "cancelled"));
}
