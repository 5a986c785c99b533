// mcuota while the daemon is down: the database answers what can be read, and says so.
#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>
#include <fstream>

#include "daemon/api/store_views.hpp"
#include "db/store.hpp"
#include "tests/unit/api/cli_run.hpp"
#include "tests/unit/api/running_server.hpp"

using namespace mcuota;
using namespace mcuota::api;
using mcuota::cli::Run;
namespace json = boost::json;

namespace {

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

/// What a stopped daemon leaves: a configuration and a database with two devices and two jobs.
struct Stopped {
    Stopped() {
        std::filesystem::create_directory(folder.path() / "state");
        std::ofstream(config()) << "[daemon]\nstate_dir = \"" << (folder.path() / "state").string()
                                << "\"\nsocket = \"" << (folder.path() / "api.sock").string()
                                << "\"\n[keys]\ntrusted = [\"/no/keys/here/*.pub.pem\"]\n";
        auto store = db::Store::open(folder.path() / "state" / db::kDatabaseFile);
        REQUIRE(store);
        const std::pair<std::string, std::string> devices[] = {{"pump-3", "hw"}, {"valve-1", "hw"}};
        REQUIRE(store->configure_devices(devices));
        db::JobRecord failed;
        failed.device = "pump-3";
        failed.hardware = "hw";
        failed.provider = "plant";
        failed.request_id = "4711";
        failed.to_version = "2.0.0";
        failed.created_at_ms = failed.updated_at_ms = 1'795'255'200'000;
        const auto first = store->insert_job(failed, "asked by plant", std::nullopt, failed.created_at_ms);
        REQUIRE(first);
        db::JobChange change;
        change.after = failed;
        change.after.id = *first;
        change.after.state = db::JobState::failed;
        change.after.error = Error{ErrorCode::url_gone, "no such file", "publish it", 0};
        change.after.finished_at_ms = 1'795'255'260'000;
        change.reason = "the server has no such file";
        REQUIRE(store->change_job(change, 1'795'255'260'000));
        db::JobRecord waiting = failed;
        waiting.device = "valve-1";
        const auto second = store->insert_job(waiting, "asked by plant", std::nullopt, 1'795'255'300'000);
        REQUIRE(second);
    }
    std::string config() const { return (folder.path() / "mcuota.toml").string(); }
    std::vector<std::string> with(std::vector<std::string> words) const {
        words.insert(words.begin(), {"--config", config()});
        return words;
    }
    TemporaryFolder folder;
};

}  // namespace

TEST_CASE("a stopped gateway shows devices, jobs and failures from its database", "[cli]") {
    Stopped gateway;
    Run status(gateway.with({"status"}));
    CHECK(status.code() == 0);
    CHECK(has(status.err(), "mcuotad is not running; this is from its database"));
    for (const char* part : {"mcuotad is not running", "pump-3", "valve-1", "waiting for its turn",
                             "no such file (url_gone)", "next: publish it"})
        CHECK(has(status.out(), part));

    Run json_status(gateway.with({"status", "--json"}));
    const json::value parsed = json::parse(json_status.out());
    CHECK(parsed.at("daemon").at("running") == false);
    CHECK(parsed.at("jobs").at(0).at("device") == "valve-1");
    CHECK(parsed.at("devices").at(1).at("active_job") == 2);

    Run list(gateway.with({"job", "list", "--state", "failed", "--json"}));
    CHECK(json::parse(list.out()).as_array().size() == 1);
    Run show(gateway.with({"job", "show", "1"}));
    CHECK(show.code() == 0);
    CHECK(has(show.out(), "failed  the server has no such file"));
    Run device(gateway.with({"device", "show", "pump-3"}));
    CHECK(has(device.out(), "not asked yet"));
    Run devices(gateway.with({"device", "list"}));
    CHECK(devices.code() == 0);
    Run missing(gateway.with({"job", "show", "99"}));
    CHECK(missing.code() == 3);
    Run nobody(gateway.with({"device", "show", "pump-9"}));
    CHECK(nobody.code() == 3);
}

TEST_CASE("what needs the daemon is refused while it is down, with the way to start it", "[cli]") {
    Stopped gateway;
    const auto package = gateway.folder.path() / "p.mcup";
    std::ofstream(package) << "abc";
    const std::vector<std::vector<std::string>> commands{{"job", "cancel", "2"},
                                                         {"job", "retry", "1"},
                                                         {"job", "watch"},
                                                         {"job", "watch", "2"},
                                                         {"device", "refresh", "pump-3"},
                                                         {"install", package.string(), "--device", "pump-3"}};
    for (const auto& words : commands) {
        INFO(words[0] << " " << words[1]);
        Run run(gateway.with(words));
        CHECK(run.code() == 5);
        CHECK(run.out().empty());
        CHECK(has(run.err(), "systemctl start mcuota"));
    }
}

TEST_CASE("the configuration is checked with file, line, key and mend", "[cli]") {
    Stopped gateway;
    Run good({"config", "check", gateway.config()});
    CHECK(good.code() == 0);
    CHECK(has(good.out(), "good"));
    const std::string wrong = (gateway.folder.path() / "wrong.toml").string();
    std::ofstream(wrong) << "[daemon]\nsokcet = \"/x\"\nlog_level = 7\n";
    Run run({"config", "check", wrong});
    CHECK(run.code() == 2);
    CHECK(has(run.out(), wrong + ":2:"));
    CHECK(has(run.out(), wrong + ":3:"));
    CHECK(has(run.out(), "sokcet"));
    CHECK(has(run.out(), "mend: "));
    Run with_json({"config", "check", wrong, "--json"});
    CHECK(with_json.code() == 2);
    const json::value parsed = json::parse(with_json.out());
    CHECK(parsed.at("ok") == false);
    bool told = false;
    for (const json::value& problem : parsed.at("problems").as_array())
        told = told || (problem.at("line") == 2 && problem.at("severity") == "error" &&
                        has(problem.at("key").as_string().c_str(), "sokcet"));
    CHECK(told);
    Run missing({"config", "check", "/no/such.toml"});
    CHECK(missing.code() == 2);
}

TEST_CASE("every stored state becomes a view with a step of its own kind", "[api]") {
    for (const db::JobState state : db::kJobStates) {
        db::JobRecord record;
        record.state = state;
        record.wait_reason = db::WaitReason::backoff;
        record.told_percent = 40;
        const JobView view = view_of(record);
        INFO(view.state);
        CHECK(is_job_state(view.state));
        CHECK_FALSE(view.progress.step.empty());
        CHECK((view.progress.percent == 100) == (state == db::JobState::succeeded));
    }
    db::DeviceRecord device;
    CHECK_FALSE(view_of(device).running);
    CHECK(view_of(device).stay_reason.empty());
    device.role = 1;
    device.stay_reason = 0x0401;
    device.running = {2, "1.0", "aa", 5, 6};
    device.backup = {1, "0.9", "bb", 4, 0};
    CHECK(view_of(device).role == "loader");
    CHECK(view_of(device).stay_reason == "no application was ever installed");
    CHECK(view_of(device).running->state == "trial");
    CHECK(view_of(device).running->security_counter == 6U);
    CHECK(view_of(device).backup->state == "valid");
    CHECK_FALSE(view_of(device).backup->security_counter);
}
