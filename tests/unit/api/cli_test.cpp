// mcuota as a program, against the real API server with a fake engine.
#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>
#include <fstream>

#include "daemon/api/peer.hpp"
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

JobView sending_job(std::int64_t id) {
    JobView job;
    job.id = id;
    job.device = "pump-3";
    job.hardware = "stm32f429-demo";
    job.source = {"cloud", "plant", "4711"};
    job.state = "sending";
    job.from_version = "1.0.0";
    job.to_version = "2.0.0";
    job.payload_kind = "lzma";
    job.payload_bytes = 100'000;
    job.progress = {"send", 52, 50'000, 100'000, 10'000};
    job.attempts = 1;
    job.created_at_ms = 1'795'255'200'000;
    job.updated_at_ms = 1'795'255'260'000;
    job.transitions = {{1'795'255'200'000, "", "queued", "asked by plant"},
                       {1'795'255'201'000, "queued", "sending", "its turn"}};
    return job;
}

JobView failed_job(std::int64_t id) {
    JobView job = sending_job(id);
    job.device = "valve-1";
    job.state = "failed";
    job.progress.step = "done";
    job.error = Error{ErrorCode::signature_invalid, "the signature does not fit", "ask who built it", 0};
    job.finished_at_ms = job.updated_at_ms;
    return job;
}

/// A gateway with a device, a cloud that is down, a running and a failed job.
void furnish(FakeBackend& backend) {
    DeviceView pump;
    pump.name = "pump-3";
    pump.hardware = "stm32f429-demo";
    pump.link = "uart:/dev/ttyUSB0:921600";
    pump.cloud = "plant";
    pump.reachable = true;
    pump.seen_at_ms = 1'795'255'260'000;
    pump.role = "agent";
    pump.loader_version = "1.0.0";
    pump.running = ImageView{"1.0.0", "confirmed", std::string(64, 'a'), 100'000, 3};
    DeviceView valve;
    valve.name = "valve-1";
    valve.hardware = "stm32f429-demo";
    valve.link = "uart:/dev/ttyUSB1:115200";
    valve.reachable = false;
    valve.error = Error{ErrorCode::device_silent, "valve-1 does not answer", "check the cable", 0};
    DeviceView stranger = pump;  // answers, but is not the one that was configured
    stranger.name = "lift-1";
    stranger.error = Error{ErrorCode::device_mismatch, "another chip answers", "check the wiring", 0};
    backend.device_views = {pump, valve, stranger};
    backend.cloud_views = {
        {"plant", "aliyun", "broker.example", false, "no route to host", 1'795'255'200'000, 2}};
    backend.job_views = {sending_job(2), failed_job(1)};
}

struct Gateway : RunningServer {
    Gateway() : RunningServer({}, false) {
        furnish(backend);
        start();
    }
    std::vector<std::string> with(std::vector<std::string> words) const {
        words.insert(words.begin(), {"--socket", socket().string()});
        return words;
    }
};

std::string package_file(const RunningServer& server) {
    const auto path = server.folder.path() / "p.mcup";
    std::ofstream(path) << "abc";
    return path.string();
}

}  // namespace

TEST_CASE("status shows links, devices, jobs and failures with the next step on one screen", "[cli]") {
    Gateway gateway;
    Run run(gateway.with({"status"}));
    CHECK(run.code() == 0);
    CHECK(run.err().empty());
    for (const char* part :
         {"mcuotad 0.1.0", "down: no route to host", "2 reports wait", "pump-3", "application answers",
          "no answer", "never seen", "1.0.0 → 2.0.0", "52 %", "sending, 10.0 kB/s, 6 s left", "job 1",
          "signature_invalid", "next: ask who built it"})
        CHECK(has(run.out(), part));
    CHECK_FALSE(has(run.out(), "\x1b["));
    std::size_t longest = 0;
    std::istringstream lines(run.out());
    for (std::string line; std::getline(lines, line);)
        longest = std::max(longest, line.size());
    CHECK(longest < 120);
}

TEST_CASE("lists are aligned; --json prints the API's documents and nothing else", "[cli]") {
    Gateway gateway;
    Run devices(gateway.with({"device", "list"}));
    CHECK(devices.code() == 0);
    const std::string& table = devices.out();
    const std::size_t column = table.find("VERSION");
    CHECK(table.substr(table.find("\npump-3") + 1).substr(column, 5) == "1.0.0");

    Run list(gateway.with({"job", "list", "--json", "--state", "failed,succeeded", "--limit", "5"}));
    CHECK(list.code() == 0);
    const json::value jobs = json::parse(list.out());
    REQUIRE(jobs.as_array().size() == 1);
    CHECK(jobs.at(0).at("id") == 1);
    CHECK(jobs.at(0).at("error").at("code") == "signature_invalid");

    Run show(gateway.with({"job", "show", "2", "--json"}));
    CHECK(json::parse(show.out()).at("transitions").as_array().size() == 2);
    Run device(gateway.with({"device", "show", "pump-3", "--json"}));
    CHECK(json::parse(device.out()).at("running").at("version") == "1.0.0");
    Run all(gateway.with({"device", "list", "--json"}));
    CHECK(json::parse(all.out()).as_array().size() == 3);
    Run status(gateway.with({"status", "--json"}));
    CHECK(json::parse(status.out()).at("failures").at(0).at("id") == 1);
}

TEST_CASE("a job's life is told step by step", "[cli]") {
    Gateway gateway;
    Run run(gateway.with({"job", "show", "2"}));
    CHECK(run.code() == 0);
    for (const char* part :
         {"Job 2: pump-3, 1.0.0 → 2.0.0, sending", "cloud plant, request 4711", "lzma, 100.0 kB",
          "2026-11-21 10:00:00  queued   asked by plant", "2026-11-21 10:00:01  sending  its turn"})
        CHECK(has(run.out(), part));
    Run device(gateway.with({"device", "show", "valve-1"}));
    CHECK(has(device.out(), "valve-1 does not answer (device_silent)"));
    CHECK(has(device.out(), "next: check the cable"));
}

TEST_CASE("refreshing a device that answers, but is another one, ends with that refusal", "[cli]") {
    Gateway gateway;
    Run refresh(gateway.with({"device", "refresh", "lift-1"}));
    CHECK(refresh.code() == 4);
    CHECK(has(refresh.out(), "another chip answers (device_mismatch)"));
}

TEST_CASE("a job whose device goes back to its old image says so, whatever step was told last", "[cli]") {
    Gateway gateway;
    JobView job = sending_job(2);
    job.state = "reverting";
    job.progress.step = "trial";
    gateway.on_loop([&] { gateway.backend.change(job); });
    Run list(gateway.with({"job", "list"}));
    CHECK(list.code() == 0);
    CHECK(has(list.out(), "device puts the old image back"));
}

TEST_CASE("exit codes and words for what goes wrong", "[cli]") {
    Gateway gateway;
    struct Row {
        std::vector<std::string> words;
        int code;
        const char* says;
    };
    const Row rows[] = {
        {gateway.with({"job", "show", "99"}), 3, "there is no job 99"},
        {gateway.with({"device", "show", "pump-9"}), 3, "there is no device \"pump-9\""},
        {gateway.with({"device", "refresh", "pump-9"}), 3, "there is no device"},
        {gateway.with({"device", "refresh", "pump-3"}), 0, ""},
        {gateway.with({"device", "refresh", "valve-1"}), 5, ""},
        {gateway.with({"job", "cancel", "1"}), 4, "has ended already"},
        {gateway.with({"job", "cancel", "2"}), 0, ""},
        {gateway.with({"job", "retry", "1", "--full"}), 0, ""},
        {gateway.with({"job", "list", "--state", "done"}), 2, "\"done\" is not a job state"},
        {gateway.with({"job", "list", "--since", "soon"}), 2, "\"soon\" is not a time"},
        {gateway.with({"job", "list", "--limit", "0"}), 2, "--limit"},
        {gateway.with({"job", "show", "x"}), 2, "not a job number"},
        {gateway.with({"job", "watch", "99"}), 3, "there is no job 99"},
        {gateway.with({"install", "/no/such.mcup", "--device", "pump-3"}), 3, "/no/such.mcup"},
        {gateway.with({"install", "/tmp", "--device", "pump-3"}), 1, "not a regular file"},
        {gateway.with({"install", "x.mcup"}), 2, "--device"},
        {{"--socket", "/no/socket", "status"}, 5, "mcuotad does not answer on /no/socket"},
        {{"--config", "/no/config.toml", "status"}, 3, "/no/config.toml"},
        {{"device", "flahs"}, 2, "no command \"device flahs\""},
        {{"stauts"}, 2, "Did you mean \"status\"?"},
        {{"jbo", "list"}, 2, "Did you mean \"job\"?"},
        {{"job", "wtach"}, 2, "Did you mean \"job watch\"?"},
        {{"job", "list", "--sicne", "1d"}, 2, "Did you mean \"--since\"?"},
        {{"job", "list", "--sicne=1d"}, 2, "Did you mean \"--since\"?"},
        {{"frobnicate"}, 2, "no command \"frobnicate\".\n"},
        {{}, 2, "mcuota --help"},
        {{"job"}, 2, "mcuota job --help"},
        {{"completion", "fish"}, 2, "fish"},
    };
    for (const Row& row : rows) {
        std::string line;
        for (const std::string& word : row.words)
            line += word + " ";
        INFO(line);
        Run run(row.words);
        CHECK(run.code() == row.code);
        CHECK(has(run.err(), row.says));
        if (row.code != 0 && row.code != 5) CHECK(run.out().empty());
    }
}

TEST_CASE("with --json an error is a JSON document, too", "[cli]") {
    Gateway gateway;
    Run run(gateway.with({"job", "show", "99", "--json"}));
    CHECK(run.code() == 3);
    CHECK(json::parse(run.out()).at("error").at("code") == "not_found");
}

TEST_CASE("install hands the file over, waits, and ends with the device's word", "[cli]") {
    Gateway gateway;
    Run run(gateway.with({"install", package_file(gateway), "--device", "pump-3", "--device", "valve-1"}));
    run.wait_for("pump-3: job 3");
    run.wait_for("valve-1: job 4");
    run.wait_for("job 4");
    const auto move = [&](std::int64_t id, const std::string& state, std::uint8_t percent) {
        gateway.on_loop([&] {
            JobView job = *gateway.backend.job(id);
            job.state = state;
            job.progress = {state == "sending" ? "send" : "done", percent, 0, 0, 0};
            gateway.backend.change(job);
        });
    };
    move(3, "sending", 40);
    move(3, "succeeded", 100);
    move(4, "succeeded", 100);
    CHECK(run.code() == 0);
    CHECK(has(run.out(), "job 3 on pump-3: succeeded, the device reports 2.0.0 running and confirmed"));
    CHECK(has(run.out(), "job 4 on valve-1: succeeded"));
    CHECK(has(run.err(), "100 %"));
    CHECK(gateway.on_loop([&] { return gateway.backend.calls.back(); }) ==
          "install ba7816bf pump-3 valve-1 by " + user_name(::geteuid()));
}

TEST_CASE("install ends with the failure's own exit code and next step", "[cli]") {
    Gateway gateway;
    Run run(gateway.with({"install", package_file(gateway), "--device", "pump-3", "--json"}));
    while (gateway.on_loop([&] { return gateway.backend.listeners.empty(); }))
        std::this_thread::yield();
    gateway.on_loop([&] {
        JobView job = *gateway.backend.job(3);
        job.state = "failed";
        job.error = Error{ErrorCode::wrong_hardware, "for pump-2", "take another", 0};
        gateway.backend.change(job);
    });
    CHECK(run.code() == 4);
    const json::value out = json::parse(run.out());
    CHECK(out.at("jobs").at(0).at("error").at("next") == "take another");
    CHECK(out.at("package").at("bytes") == 3);
}

TEST_CASE("install: refused, up to date, rehearsed only, or not waited for", "[cli]") {
    Gateway gateway;
    const std::string file = package_file(gateway);
    SECTION("not waited for") {
        Run run(gateway.with({"install", file, "--device", "pump-3", "--no-wait", "--json"}));
        CHECK(run.code() == 0);
        CHECK(json::parse(run.out()).at("installs").at(0).at("job") == 3);
    }
    SECTION("rehearsed only") {
        Run run(gateway.with({"install", file, "--device", "pump-3", "--dry-run"}));
        CHECK(run.code() == 0);
        CHECK(run.out() == "pump-3: would install 1.0.0 → 2.0.0, lzma, 4.1 kB\n");
        CHECK(gateway.on_loop([&] { return gateway.backend.job_views.size(); }) == 2);
    }
    SECTION("up to date") {
        gateway.on_loop([&] { gateway.backend.up_to_date = true; });
        Run run(gateway.with({"install", file, "--device", "pump-3"}));
        CHECK(run.code() == 6);
        CHECK(has(run.out(), "runs there already"));
    }
    SECTION("package refused") {
        gateway.on_loop([&] {
            gateway.backend.refuses_package =
                Error{ErrorCode::key_unknown, "no trusted key", "add the key", 0};
        });
        Run run(gateway.with({"install", file, "--device", "pump-3"}));
        CHECK(run.code() == 4);
        CHECK(has(run.err(), "no trusted key (key_unknown)\n  next: add the key"));
    }
    SECTION("installation refused") {
        gateway.on_loop([&] {
            gateway.backend.refuses_install = Error{ErrorCode::not_found, "no device pump-9", "look", 0};
        });
        Run run(gateway.with({"install", file, "--device", "pump-9"}));
        CHECK(run.code() == 3);
    }
    SECTION("larger than the gateway takes") {
        std::filesystem::resize_file(file, 3U << 20);
        Run run(gateway.with({"install", file, "--device", "pump-3"}));
        CHECK(run.code() == 4);
        CHECK(has(run.err(), "package_oversized"));
    }
}

TEST_CASE("watching one job tells every change and ends with it", "[cli]") {
    Gateway gateway;
    Run run(gateway.with({"job", "watch", "2"}));
    run.wait_for("52 %");
    gateway.on_loop([&] {
        JobView job = *gateway.backend.job(2);
        job.state = "waiting";
        job.progress.step = "backoff";
        job.error = Error{ErrorCode::device_silent, "pump-3 does not answer", "check the cable", 0};
        gateway.backend.change(job);
    });
    run.wait_for("waiting before the next try: pump-3 does not answer");
    gateway.on_loop([&] {
        JobView job = *gateway.backend.job(2);
        job.state = "succeeded";
        job.progress = {"done", 100, 0, 0, 0};
        job.error.reset();
        gateway.backend.change(job);
    });
    CHECK(run.code() == 0);
    CHECK(has(run.out(), "job 2  pump-3  1.0.0 → 2.0.0  52 %  sending, 10.0 kB/s, 6 s left\n"));
    CHECK(has(run.out(), "job 2 on pump-3: succeeded"));
    Run ended(gateway.with({"job", "watch", "1"}));
    CHECK(ended.code() == 4);  // the refusal of the signature
}

TEST_CASE("watching with --json prints one document a change", "[cli]") {
    Gateway gateway;
    Run run(gateway.with({"job", "watch", "--json"}));
    run.wait_for("\n");
    gateway.on_loop([&] { gateway.backend.change(failed_job(2)); });
    run.wait_for("\"failed\"");
    run.interrupt();
    CHECK(run.code() == 0);
    std::istringstream lines(run.out());
    int count = 0;
    for (std::string line; std::getline(lines, line); ++count)
        CHECK(json::parse(line).at("id") == 2);
    CHECK(count == 2);
}

TEST_CASE("Ctrl-C ends the watching and says that the job goes on", "[cli]") {
    Gateway gateway;
    Run run(gateway.with({"job", "watch", "2"}));
    run.wait_for("52 %");
    run.interrupt();
    CHECK(run.code() == 0);
    CHECK(has(run.err(), "job 2 goes on; see it again: mcuota job watch 2"));
}

TEST_CASE("rollback waits for its end, or only says which job it is", "[cli]") {
    Gateway gateway;
    gateway.on_loop([&] { gateway.backend.device_views[0].backup = {"0.9.0", "valid", "", 4096, {}}; });
    const std::string name = gateway.on_loop([&] { return gateway.backend.device_views[0].name; });
    SECTION("to its end") {
        Run run(gateway.with({"rollback", name}));
        run.wait_for("job 3  ");
        gateway.on_loop([&] {
            JobView job = *gateway.backend.job(3);
            job.state = "succeeded";
            gateway.backend.change(job);
        });
        CHECK(run.code() == 0);
        CHECK(has(run.out(), name + ": job 3, back to 0.9.0\n"));
        CHECK(has(run.out(), "job 3 on " + name + ": succeeded"));
    }
    SECTION("not waited for") {
        Run run(gateway.with({"rollback", name, "--no-wait", "--json"}));
        CHECK(run.code() == 0);
        CHECK(json::parse(run.out()).at("jobs").at(0).at("id") == 3);
    }
    SECTION("no backup") {
        gateway.on_loop([&] { gateway.backend.device_views[0].backup.reset(); });
        Run run(gateway.with({"rollback", name}));
        CHECK(run.code() == 3);
        CHECK(has(run.err(), "holds no backup image"));
    }
}

TEST_CASE("Ctrl-C ends the waiting for a rollback in words, and only the waiting", "[cli]") {
    Gateway gateway;
    gateway.on_loop([&] { gateway.backend.device_views[0].backup = {"0.9.0", "valid", "", 4096, {}}; });
    const std::string name = gateway.on_loop([&] { return gateway.backend.device_views[0].name; });
    SECTION("while it runs") {
        Run run(gateway.with({"rollback", name}));
        run.wait_for("job 3  ");
        run.interrupt();
        CHECK(run.code() == 1);
        CHECK(has(run.err(), "job 3 goes on; see it again: mcuota job watch 3"));
        CHECK(gateway.on_loop([&] { return gateway.backend.job(3)->state; }) == "queued");
    }
    SECTION("while it runs, with --json") {
        Run run(gateway.with({"rollback", name, "--json"}));
        while (gateway.on_loop([&] { return gateway.backend.listeners.empty(); }))
            std::this_thread::yield();
        run.interrupt();
        CHECK(run.code() == 1);
        CHECK(json::parse(run.out()).at("jobs").is_array());
        CHECK(has(run.err(), "job 3 goes on") == !json::parse(run.out()).at("jobs").as_array().empty());
    }
    SECTION("while the device is still being asked") {
        gateway.on_loop([&] { gateway.backend.device_silent = true; });
        Run run(gateway.with({"rollback", name}));
        while (gateway.on_loop([&] { return gateway.backend.silence == nullptr; }))
            std::this_thread::yield();
        run.interrupt();
        CHECK(run.code() == 1);
        CHECK(has(run.err(), "interrupted before mcuotad answered"));
        CHECK(has(run.err(), "next: see whether it does: mcuota job list"));
        CHECK(run.out().empty());
        gateway.on_loop([&] { gateway.backend.silence.reset(); });  // the answer comes before the loop goes
    }
}

TEST_CASE("watching outlives a restart of the daemon", "[cli]") {
    auto first = std::make_unique<Gateway>();
    TemporaryFolder place;
    const auto link = place.path() / "api.sock";
    std::filesystem::create_symlink(first->socket(), link);
    Run run({"--socket", link.string(), "job", "watch", "2"});
    run.wait_for("52 %");
    first.reset();
    run.wait_for("mcuotad went away");
    std::filesystem::remove(link);
    Gateway second;
    std::filesystem::create_symlink(second.socket(), link);
    while (second.on_loop([&] { return second.backend.listeners.empty(); }))
        std::this_thread::yield();
    second.on_loop([&] {
        JobView job = *second.backend.job(2);
        job.state = "succeeded";
        second.backend.change(job);
    });
    CHECK(run.code() == 0);
    CHECK(has(run.out(), "mcuotad is back"));
}

TEST_CASE("text from devices and clouds cannot steer the terminal", "[cli]") {
    Gateway gateway;
    gateway.on_loop([&] {
        gateway.backend.cloud_views[0].why =
            "\x1b]0;owned\x07\n\xc2\x9b"
            "31m";
        gateway.backend.device_views[0].running->version = "1.0\x1b[2J";
    });
    Run run(gateway.with({"status"}));
    CHECK(has(run.out(), "?]0;owned????31m"));
    CHECK(has(run.out(), "1.0?[2J"));
    CHECK_FALSE(has(run.out(), "\x1b"));
}
