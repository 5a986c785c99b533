// The API server over a real socket: answers, limits, garbage, slow clients.
#include "daemon/api/server.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>
#include <fstream>

#include "daemon/api/peer.hpp"
#include "tests/unit/api/running_server.hpp"

using namespace mcuota;
using namespace mcuota::api;
namespace json = boost::json;

namespace {

JobView job_at(std::int64_t id, std::string state) {
    JobView job;
    job.id = id;
    job.device = "pump-" + std::to_string(id);
    job.source.kind = "local";
    job.state = std::move(state);
    job.progress.step = "send";
    return job;
}

int status_of(const std::string& answer) {
    return answer.size() > 12 ? std::stoi(answer.substr(9, 3)) : 0;
}

json::value body_of(const std::string& answer) {
    return json::parse(answer.substr(answer.find("\r\n\r\n") + 4));
}

std::string get(const std::string& target) {
    return "GET " + target + " HTTP/1.1\r\nHost: mcuota\r\n\r\n";
}

std::string post(const std::string& target, const std::string& body, const std::string& more = "") {
    return "POST " + target + " HTTP/1.1\r\nHost: mcuota\r\n" + more +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string code_of(const std::string& answer) {
    return body_of(answer).at("error").at("code").as_string().c_str();
}

}  // namespace

TEST_CASE("reads are answered in their released shape, many on one connection", "[api]") {
    RunningServer server({}, false);
    server.backend.device_views.push_back({});
    server.backend.device_views.back().name = "pump-1";
    server.backend.cloud_views.push_back({"plant", "aliyun", "broker.example", false, "no route", 5, 2});
    server.backend.job_views = {job_at(3, "failed"), job_at(2, "sending"), job_at(1, "succeeded")};
    server.backend.job_views[0].error = Error{ErrorCode::device_silent, "no answer", "check the cable", 0};
    server.backend.job_views[1].transitions = {{1, "", "queued", "asked"}};
    server.start();
    RawClient client(server.socket());

    client.send(get("/v1/status"));
    std::string answer = client.read_answer();
    CHECK(status_of(answer) == 200);
    CHECK(answer.find("Content-Type: application/json\r\n") != std::string::npos);
    const json::value status = body_of(answer);
    CHECK(status.at("daemon").at("version") == "0.1.0");
    CHECK(status.at("clouds").at(0).at("why") == "no route");
    CHECK(status.at("devices").at(0).at("name") == "pump-1");
    CHECK(status.at("jobs").as_array().size() == 1);
    CHECK(status.at("jobs").at(0).at("id") == 2);
    CHECK(status.at("failures").at(0).at("error").at("next") == "check the cable");

    client.send(get("/v1/devices/pump-1"));
    CHECK(body_of(client.read_answer()).at("name") == "pump-1");
    client.send(get("/v1/devices/pump-9"));
    answer = client.read_answer();
    CHECK(status_of(answer) == 404);
    CHECK(code_of(answer) == "not_found");

    client.send(get("/v1/jobs?state=failed,succeeded&limit=5"));
    CHECK(body_of(client.read_answer()).at("jobs").as_array().size() == 2);
    client.send(get("/v1/jobs/2"));
    CHECK(body_of(client.read_answer()).at("transitions").at(0).at("reason") == "asked");
}

TEST_CASE("a failure that a later success made good is no longer shown", "[api]") {
    RunningServer server({}, false);
    server.backend.job_views = {job_at(4, "succeeded"), job_at(3, "failed"), job_at(2, "failed")};
    server.backend.job_views[0].device = server.backend.job_views[1].device;
    server.backend.job_views[0].updated_at_ms = 100;
    server.start();
    RawClient client(server.socket());
    client.send(get("/v1/status"));
    const json::value failures = body_of(client.read_answer()).at("failures");
    REQUIRE(failures.as_array().size() == 1);
    CHECK(failures.at(0).at("id") == 2);
}

TEST_CASE("commands reach the engine with the caller's name", "[api]") {
    RunningServer server({}, false);
    server.backend.job_views = {job_at(2, "sending"), job_at(1, "failed")};
    server.backend.device_views.push_back({});
    server.backend.device_views.back().name = "pump-1";
    server.start();
    RawClient client(server.socket());
    const std::string me = user_name(::geteuid());

    client.send(post("/v1/jobs/2/cancel", ""));
    CHECK(body_of(client.read_answer()).at("state") == "cancelled");
    client.send(post("/v1/jobs/1/retry", R"({"full":true})"));
    CHECK(body_of(client.read_answer()).at("state") == "queued");
    client.send(post("/v1/devices/pump-1/refresh", ""));
    CHECK(body_of(client.read_answer()).at("name") == "pump-1");
    const std::string package(64, 'a');
    client.send(post("/v1/jobs", R"({"package":")" + package + R"(","devices":["x","y"]})"));
    std::string answer = client.read_answer();
    CHECK(status_of(answer) == 201);
    CHECK(body_of(answer).at("installs").at(1).at("job") == 4);
    client.send(post("/v1/jobs", R"({"package":")" + package + R"(","devices":["x"],"dry_run":true})"));
    answer = client.read_answer();
    CHECK(status_of(answer) == 200);
    CHECK(body_of(answer).at("installs").at(0).at("job").is_null());
    CHECK(server.on_loop([&] { return server.backend.calls; }) ==
          std::vector<std::string>{"cancel 2 by " + me, "retry 1 full by " + me, "refresh pump-1",
                                   "install aaaaaaaa x y by " + me, "install aaaaaaaa x dry by " + me});
}

TEST_CASE("a request body that is wrong is named, and nothing happens", "[api]") {
    RunningServer server;
    const std::string package(64, 'a');
    struct Row {
        std::string target, body, says;
    };
    const Row rows[] = {
        {"/v1/jobs", "", "\"package\""},
        {"/v1/jobs", "{", "not JSON"},
        {"/v1/jobs", "[]", "not a JSON object"},
        {"/v1/jobs", R"({"package":"../../etc/passwd","devices":["x"]})", "\"package\""},
        {"/v1/jobs", R"({"package":")" + std::string(64, 'A') + R"(","devices":["x"]})", "\"package\""},
        {"/v1/jobs", R"({"package":")" + package + R"("})", "\"devices\""},
        {"/v1/jobs", R"({"package":")" + package + R"(","devices":[]})", "\"devices\""},
        {"/v1/jobs", R"({"package":")" + package + R"(","devices":["x",1]})", "not a name"},
        {"/v1/jobs", R"({"package":")" + package + R"(","devices":["x","x"]})", "twice"},
        {"/v1/jobs", R"({"package":")" + package + R"(","devices":["x"],"dry_run":1})", "\"dry_run\""},
        {"/v1/jobs", R"({"package":")" + package + R"(","devices":["x"],"when":"now"})", "\"when\""},
        {"/v1/jobs/1/retry", R"({"full":"yes"})", "\"full\""},
        {"/v1/jobs/1/cancel", R"({"x":1})", "\"x\""},
        {"/v1/jobs/1/retry", std::string(5000, '['), "not JSON"},
    };
    RawClient client(server.socket());
    for (const Row& row : rows) {
        INFO(row.target << " " << row.body.substr(0, 100));
        client.send(post(row.target, row.body));
        const std::string answer = client.read_answer();
        CHECK(status_of(answer) == 400);
        CHECK(std::string(body_of(answer).at("error").at("message").as_string()).find(row.says) !=
              std::string::npos);
    }
    CHECK(server.on_loop([&] { return server.backend.calls.empty(); }));
}

TEST_CASE("what the engine refuses comes back with code, class and next step", "[api]") {
    RunningServer server({}, false);
    server.backend.job_views = {job_at(1, "failed")};
    server.backend.refuses_install = Error{ErrorCode::wrong_hardware, "for pump-2", "take another", 0};
    server.start();
    RawClient client(server.socket());
    client.send(post("/v1/jobs", R"({"package":")" + std::string(64, 'a') + R"(","devices":["x"]})"));
    std::string answer = client.read_answer();
    CHECK(status_of(answer) == 422);
    CHECK(
        json::serialize(body_of(answer)) ==
        R"({"error":{"code":"wrong_hardware","class":"final","message":"for pump-2","next":"take another"}})");
    client.send(post("/v1/jobs/1/cancel", ""));
    CHECK(status_of(client.read_answer()) == 409);
    client.send(post("/v1/jobs/9/cancel", ""));
    CHECK(status_of(client.read_answer()) == 404);
    server.on_loop([&] { server.backend.broken = Error{ErrorCode::database_failed, "", "", 0}; });
    client.send(get("/v1/status"));
    CHECK(status_of(client.read_answer()) == 500);
    server.on_loop([&] { server.backend.throws = true; });
    client.send(get("/v1/jobs"));
    answer = client.read_answer();
    CHECK(status_of(answer) == 500);
    CHECK(code_of(answer) == "internal");
}

TEST_CASE("garbage and oversized requests get an answer and an end, the next client is served", "[api]") {
    RunningServer server;
    struct Row {
        const char* what;
        std::string bytes;
        int status;
    };
    const Row rows[] = {
        {"not HTTP", "hello there\r\n\r\n", 400},
        {"binary", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11) + "\r\n\r\n", 400},
        {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
        {"huge header", "GET /v1/status HTTP/1.1\r\nX: " + std::string(100'000, 'a') + "\r\n\r\n", 431},
        {"huge target", "GET /" + std::string(100'000, 'a') + " HTTP/1.1\r\n\r\n", 431},
        {"huge announced body", "POST /v1/jobs HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 413},
        {"huge chunked body",
         "POST /v1/jobs HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n20000\r\n" + std::string(0x20000, 'x') +
             "\r\n0\r\n\r\n",
         413},
        {"unknown method", "BREW /v1/status HTTP/1.1\r\n\r\n", 405},
        {"two lengths", "POST /v1/jobs HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
        {"negative length", "POST /v1/jobs HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400},
    };
    for (const Row& row : rows) {
        INFO(row.what);
        RawClient client(server.socket());
        client.send(row.bytes);
        client.end_sending();
        const std::string answer = client.read_all();
        CHECK(status_of(answer) == row.status);
        CHECK(body_of(answer).at("error").at("code").is_string());
    }
    RawClient client(server.socket());
    client.send(get("/v1/status"));
    CHECK(status_of(client.read_answer()) == 200);
}

TEST_CASE("a client that sends half a request is let go after its time", "[api]") {
    ServerOptions options;
    options.request_timeout_ms = 150;
    options.idle_timeout_ms = 150;
    RunningServer server(options);
    for (const char* half : {"", "GET /v1/sta", "POST /v1/jobs HTTP/1.1\r\nContent-Length: 10\r\n\r\n{"}) {
        INFO(half);
        RawClient client(server.socket());
        client.send(half);
        CHECK(client.read_all().empty());
    }
    CHECK(server.connections() == 0);
}

TEST_CASE("beyond the limit of connections the longest idle one makes room", "[api]") {
    ServerOptions options;
    options.connections_max = 3;
    RunningServer server(options);
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 3; ++i) {
        clients.push_back(std::make_unique<RawClient>(server.socket()));
        clients.back()->send(get("/v1/status"));
        CHECK(status_of(clients.back()->read_answer()) == 200);
    }
    RawClient one_more(server.socket());
    one_more.send(get("/v1/status"));
    CHECK(status_of(one_more.read_answer()) == 200);
    CHECK(clients[0]->read_all().empty());
    clients[2]->send(get("/v1/status"));
    CHECK(status_of(clients[2]->read_answer()) == 200);
}

TEST_CASE("a package is stored whole, named by its digest, and leaves nothing behind", "[api]") {
    RunningServer server;
    const auto incoming = server.folder.path() / "incoming";
    const std::string abc_sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    SECTION("in one piece, then another request on the same connection") {
        RawClient client(server.socket());
        client.send(post("/v1/packages", "abc"));
        const std::string answer = client.read_answer();
        CHECK(status_of(answer) == 201);
        CHECK(body_of(answer).at("sha256") == abc_sha256.c_str());
        CHECK(body_of(answer).at("bytes") == 3);
        client.send(get("/v1/status"));
        CHECK(status_of(client.read_answer()) == 200);
        CHECK(std::filesystem::file_size(server.folder.path() / "packages" / (abc_sha256 + ".mcup")) == 3);
    }
    SECTION("in chunks, after the server's leave to continue") {
        RawClient client(server.socket());
        client.send(
            "POST /v1/packages HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n");
        CHECK(client.read_to("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
        client.send("1\r\na\r\n2\r\nbc\r\n0\r\n\r\n");
        CHECK(body_of(client.read_answer()).at("sha256") == abc_sha256.c_str());
    }
    SECTION("a file larger than several buffers arrives byte for byte") {
        RawClient client(server.socket());
        std::string large(900'000, '\0');
        for (std::size_t i = 0; i < large.size(); ++i)
            large[i] = static_cast<char>(i * 2654435761U >> 13);
        CHECK(client.send(post("/v1/packages", large)));
        const std::string answer = client.read_answer();
        REQUIRE(status_of(answer) == 201);
        const std::string sha256 = body_of(answer).at("sha256").as_string().c_str();
        std::ifstream stored(server.folder.path() / "packages" / (sha256 + ".mcup"), std::ios::binary);
        CHECK(std::string(std::istreambuf_iterator<char>(stored), {}) == large);
    }
    SECTION("announced too large: refused before a byte is sent") {
        RawClient client(server.socket());
        client.send("POST /v1/packages HTTP/1.1\r\nContent-Length: 1048577\r\nExpect: 100-continue\r\n\r\n");
        const std::string answer = client.read_answer();
        CHECK(status_of(answer) == 413);
        CHECK(code_of(answer) == "package_oversized");
    }
    SECTION("too large without saying so") {
        RawClient client(server.socket());
        client.send("POST /v1/packages HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n200000\r\n" +
                    std::string(0x200000, 'x') + "\r\n0\r\n\r\n");
        CHECK(code_of(client.read_answer()) == "package_oversized");
    }
    SECTION("empty") {
        RawClient client(server.socket());
        client.send(post("/v1/packages", ""));
        CHECK(code_of(client.read_answer()) == "package_truncated");
    }
    SECTION("broken off in the middle") {
        RawClient client(server.socket());
        client.send("POST /v1/packages HTTP/1.1\r\nContent-Length: 100\r\n\r\nabc");
        client.end_sending();
        CHECK(code_of(client.read_answer()) == "package_truncated");
    }
    SECTION("refused by the engine") {
        server.on_loop([&] {
            server.backend.refuses_package =
                Error{ErrorCode::signature_invalid, "not signed by us", "sign it", 0};
        });
        RawClient client(server.socket());
        client.send(post("/v1/packages", "abc"));
        const std::string answer = client.read_all();
        CHECK(status_of(answer) == 422);
        CHECK(code_of(answer) == "signature_invalid");
        CHECK(answer.find("reading the file handed over: not signed by us") != std::string::npos);
        CHECK(answer.find("upload-") == std::string::npos);
    }
    server.stop();
    CHECK((!std::filesystem::exists(incoming) || std::filesystem::is_empty(incoming)));
}

TEST_CASE("what an interrupted daemon left of an upload is removed at the next start", "[api]") {
    RunningServer server({}, false);
    const auto incoming = server.folder.path() / "incoming";
    std::filesystem::create_directories(incoming);
    std::ofstream(incoming / "upload-abcdef.part") << "half";
    std::ofstream(incoming / "keep.me") << "whole";
    server.start();
    CHECK_FALSE(std::filesystem::exists(incoming / "upload-abcdef.part"));
    CHECK(std::filesystem::exists(incoming / "keep.me"));
}

TEST_CASE("more uploads at once than allowed are asked to wait", "[api]") {
    ServerOptions options;
    options.uploads_max = 1;
    RunningServer server(options);
    RawClient first(server.socket());
    first.send("POST /v1/packages HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    first.read_to("\r\n\r\n");
    RawClient second(server.socket());
    second.send(post("/v1/packages", "abc"));
    CHECK(status_of(second.read_answer()) == 504);
    first.send("abc");
    CHECK(status_of(first.read_answer()) == 201);
}

TEST_CASE("listeners hear the present state first, then every change", "[api]") {
    RunningServer server({}, false);
    server.backend.job_views = {job_at(3, "failed"), job_at(2, "sending"), job_at(1, "queued")};
    server.start();
    const auto listeners = [&] { return server.on_loop([&] { return server.backend.listeners.size(); }); };
    CHECK(listeners() == 0);
    {
        RawClient all(server.socket());
        RawClient one(server.socket());
        all.send(get("/v1/events"));
        const std::string head = all.read_to("\r\n\r\n");
        CHECK(head.find("Content-Type: text/event-stream\r\n") != std::string::npos);
        CHECK(all.read_to("\n\n").find("event: job\ndata: {\"id\":2,") == 0);
        CHECK(all.read_to("\n\n").find("event: job\ndata: {\"id\":1,") == 0);
        one.send(get("/v1/events?job=1"));
        one.read_to("\r\n\r\n");
        CHECK(one.read_to("\n\n").find("{\"id\":1,") != std::string::npos);
        CHECK(listeners() == 1);

        server.on_loop([&] {
            server.backend.change(job_at(2, "trial"));
            server.backend.emit(CloudView{"plant", "aliyun", "", true, "", 1, 0});
            DeviceView device;
            device.name = "pump-1";
            server.backend.emit(device);
            server.backend.change(job_at(1, "cancelled"));
        });
        CHECK(all.read_to("\n\n").find("\"state\":\"trial\"") != std::string::npos);
        CHECK(all.read_to("\n\n").find("event: cloud\ndata: {\"name\":\"plant\"") == 0);
        CHECK(all.read_to("\n\n").find("event: device\ndata: {\"name\":\"pump-1\"") == 0);
        CHECK(one.read_to("\n\n").find("\"state\":\"cancelled\"") != std::string::npos);

        RawClient missing(server.socket());
        missing.send(get("/v1/events?job=77"));
        CHECK(status_of(missing.read_all()) == 404);
    }
    while (server.connections() != 0)
        std::this_thread::yield();
    CHECK(listeners() == 0);
}

TEST_CASE("a listener that reads nothing is dropped; the others and the engine do not notice", "[api]") {
    ServerOptions options;
    options.stall_timeout_ms = 100;
    RunningServer server(options, false);
    server.backend.job_views = {job_at(1, "sending")};
    server.start();
    RawClient deaf(server.socket());
    deaf.send(get("/v1/events"));
    deaf.read_to("\n\n");
    RawClient awake(server.socket());
    awake.send(get("/v1/events?job=1"));
    awake.read_to("\n\n");

    // Each round is one event far larger than a socket buffer, so that the deaf one's connection is full at
    // once.
    JobView large = job_at(2, "sending");
    large.from_version = std::string(2U << 20, 'v');
    server.on_loop([&] { server.backend.emit(large); });
    while (server.connections() == 2)
        std::this_thread::yield();
    server.on_loop([&] { server.backend.change(job_at(1, "trial")); });
    CHECK(awake.read_to("\n\n").find("trial") != std::string::npos);
}

TEST_CASE("more listeners than allowed are told so", "[api]") {
    ServerOptions options;
    options.event_streams_max = 1;
    RunningServer server(options);
    RawClient first(server.socket());
    first.send(get("/v1/events"));
    first.read_to("\r\n\r\n");
    RawClient second(server.socket());
    second.send(get("/v1/events"));
    CHECK(status_of(second.read_all()) == 504);
}

TEST_CASE("stopping ends every connection at once and removes the socket", "[api]") {
    RunningServer server;
    RawClient idle(server.socket());
    RawClient half(server.socket());
    half.send("GET /v1/st");
    RawClient listener(server.socket());
    listener.send(get("/v1/events"));
    listener.read_to("\r\n\r\n");
    RawClient upload(server.socket());
    upload.send("POST /v1/packages HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    upload.read_to("\r\n\r\n");
    server.stop();
    CHECK(idle.read_all().empty());
    CHECK(half.read_all().empty());
    CHECK(listener.read_all().empty());
    CHECK(std::filesystem::is_empty(server.folder.path() / "incoming"));
    CHECK_FALSE(std::filesystem::exists(server.socket()));
}
