// The Aliyun session: how a gateway and its devices get online and stay there.
#include <catch2/catch.hpp>
#include <set>

#include "tests/unit/cloud/aliyun_talk.hpp"

using namespace mcuota;
using namespace mcuota::cloud;
using namespace mcuota::cloud::aliyun;

TEST_CASE("after connecting: subscribe, log in, subscribe for the device, report, poll; in this order",
          "[cloud][session]") {
    Talk talk;
    talk.take(talk.session.on_connected(talk.now));
    CHECK(talk.published.empty());  // nothing is said before the answers can be heard
    talk.grant();
    CHECK(any_contains(talk.filters, "/ext/session/GW/gw1/combine/login_reply"));
    CHECK(talk.silent_about("/ota/device/inform/SUB/pump1"));

    const json::value login = talk.said(kLogin);
    CHECK(talk.last_qos == 0);
    CHECK(login.at("params").at("deviceName") == "pump1");
    talk.reply(login, kLogin, 200);
    CHECK(talk.silent_about("/ota/device/inform/SUB/pump1"));
    talk.grant();
    CHECK(any_contains(talk.filters, "/ota/device/upgrade/SUB/pump1"));
    const json::value inform = talk.said("/ota/device/inform/SUB/pump1");
    CHECK(inform.at("params") == json::value{{"version", "1.0.0"}});
    CHECK(talk.last_qos == 1);
    CHECK(talk.said(poll_topic("SUB/pump1")).at("params") == json::value(json::object{}));
    CHECK(talk.link_why.find("valve1") != std::string::npos);

    talk.accept_login();
    CHECK(talk.said("/ota/device/inform/SUB/valve1").at("params") ==
          json::value{{"version", "1.5.0"}, {"module", "MCU"}});
    CHECK(talk.said(poll_topic("SUB/valve1")).at("params").at("module") == "MCU");
    CHECK(talk.link_up);
    CHECK(talk.link_why.empty());
    CHECK(talk.published.empty());
}

TEST_CASE("every reconnect goes the whole way again", "[cloud][session]") {
    Talk talk;
    talk.everybody_online();
    talk.published.clear();
    talk.take(talk.session.on_disconnected());
    CHECK(talk.session.deadline_ms() == kNever);
    talk.versions["pump"] = "2.0.0";
    talk.everybody_online();
    CHECK(talk.said("/ota/device/inform/SUB/pump1").at("params").at("version") == "2.0.0");
    CHECK_FALSE(talk.silent_about(poll_topic("SUB/valve1")));
}

TEST_CASE("replies of an earlier connection change nothing", "[cloud][session]") {
    Talk talk;
    talk.connect();
    const json::value old_login = talk.said(kLogin);
    talk.take(talk.session.on_disconnected());
    talk.connect();
    talk.reply(old_login, kLogin, 200);
    CHECK(talk.subscribes.empty());
    CHECK(any_contains(talk.logs, "not awaited"));
}

TEST_CASE("a device never heard of reports no version but still asks for updates", "[cloud][session]") {
    Talk talk;
    talk.versions.clear();
    talk.everybody_online();
    CHECK(talk.silent_about("/ota/device/inform/SUB/pump1"));
    CHECK_FALSE(talk.silent_about(poll_topic("SUB/pump1")));
}

TEST_CASE("a refused subscription of the gateway means a new connection", "[cloud][session]") {
    Talk talk;
    talk.take(talk.session.on_connected(talk.now));
    talk.take(talk.session.on_subscribed(talk.subscribes[0].tag, false, talk.now));
    CHECK(talk.reconnects.size() == 1);
    CHECK(talk.published.empty());
}

TEST_CASE("a login without a reply is repeated with growing pauses and a new id", "[cloud][session]") {
    CloudConfig config = two_devices();
    config.devices.pop_back();
    Talk talk(config);
    talk.connect();
    std::vector<std::string> ids;
    std::vector<std::uint64_t> sent_at;
    for (int i = 0; i < 4; ++i) {
        const json::value login = talk.said(kLogin);
        ids.emplace_back(login.at("id").as_string().c_str());
        sent_at.push_back(talk.now);
        talk.published.erase(std::remove_if(talk.published.begin(), talk.published.end(),
                                            [](const OutMessage& m) { return m.topic == kLogin; }),
                             talk.published.end());
        while (talk.silent_about(kLogin))
            talk.let_time_pass();
    }
    CHECK(std::set<std::string>(ids.begin(), ids.end()).size() == ids.size());
    CHECK(sent_at[2] - sent_at[1] > sent_at[1] - sent_at[0]);
    CHECK(sent_at[3] - sent_at[2] > sent_at[2] - sent_at[1]);
}

TEST_CASE("pauses between logins stay bounded", "[cloud][session]") {
    SessionLimits limits;
    limits.retry_max_ms = 60'000;
    Talk talk(two_devices(), limits);
    talk.connect();
    for (int i = 0; i < 60; ++i) {
        const std::uint64_t before = talk.now;
        talk.published.clear();
        talk.let_time_pass();
        CHECK(talk.now - before <= 75'000);
    }
}

TEST_CASE("a missing topology relation is added once, then the login repeated", "[cloud][session]") {
    const int code = GENERATE(520, 6401);
    Talk talk;
    talk.connect();
    talk.reply(talk.said(kLogin), kLogin, code, "topo relation not exist");
    const json::value add = talk.said(kTopoAdd);
    CHECK(add.at("params").at(0).at("deviceName") == "pump1");

    SECTION("and the device comes online") {
        talk.reply(add, kTopoAdd, 200);
        talk.accept_login(2);  // the other device's and this one's
        CHECK(talk.link_why.empty());
    }
    SECTION("and when that does not help, it is not added again at once") {
        talk.said(kLogin);  // of the other device
        talk.reply(add, kTopoAdd, 200);
        talk.reply(talk.said(kLogin), kLogin, code, "topo relation not exist");
        CHECK(talk.silent_about(kTopoAdd));
        CHECK(talk.silent_about(kLogin));
        CHECK(talk.link_why.find(std::to_string(code)) != std::string::npos);
    }
    SECTION("and a refused topo/add waits before the next try") {
        talk.reply(add, kTopoAdd, 460, "request parameter error");
        CHECK(talk.link_why.find("topo/add was refused, code 460") != std::string::npos);
    }
}

TEST_CASE("topology is left alone where the configuration says so", "[cloud][session]") {
    CloudConfig config = two_devices();
    config.add_topology = false;
    Talk talk(config);
    talk.connect();
    talk.reply(talk.said(kLogin), kLogin, 6401, "topo relation not exist");
    CHECK(talk.silent_about(kTopoAdd));
}

TEST_CASE("a refused login is said in words and tried again; other devices are not held up",
          "[cloud][session]") {
    Talk talk;
    talk.connect();
    talk.reply(talk.said(kLogin), kLogin, 6100, "device not found");
    talk.accept_login();
    CHECK(talk.link_up);
    CHECK(talk.link_why.find("SUB/pump1") != std::string::npos);
    CHECK(talk.link_why.find("6100 device not found") != std::string::npos);
    CHECK(talk.link_why.find("valve1") == std::string::npos);
    CHECK_FALSE(talk.silent_about("/ota/device/inform/SUB/valve1"));
    talk.published.clear();
    while (talk.silent_about(kLogin))
        talk.let_time_pass();
    talk.accept_login();
    CHECK(talk.link_why.empty());
}

TEST_CASE("a lost session is logged in again, and versions told again", "[cloud][session]") {
    Talk talk;
    talk.everybody_online();
    talk.published.clear();
    talk.now += 100'000;
    talk.hear(
        "/ext/error/GW/gw1",
        R"({"id":"28","code":520,"message":"no session","data":{"productKey":"SUB","deviceName":"pump1"}})");
    CHECK_FALSE(talk.session.may_send({"/ota/device/progress/SUB/pump1", "", 0, ""}));
    CHECK(talk.session.may_send({"/ota/device/progress/SUB/valve1", "", 0, ""}));
    talk.accept_login();
    CHECK_FALSE(talk.silent_about("/ota/device/inform/SUB/pump1"));
    CHECK(talk.session.may_send({"/ota/device/progress/SUB/pump1", "", 0, ""}));
}

TEST_CASE("a session that keeps breaking is not logged in in a tight loop", "[cloud][session]") {
    Talk talk;
    talk.everybody_online();
    const std::string lost =
        R"({"id":"1","code":520,"message":"no session","data":{"productKey":"SUB","deviceName":"pump1"}})";
    for (int i = 0; i < 5; ++i) {
        talk.published.clear();
        talk.hear("/ext/error/GW/gw1", lost);
        CHECK(talk.silent_about(kLogin));
        const std::uint64_t before = talk.now;
        while (talk.silent_about(kLogin))
            talk.let_time_pass();
        CHECK(talk.now - before >= 2'000);
        talk.accept_login();
    }
}

TEST_CASE("session errors about others are logged and ignored", "[cloud][session]") {
    Talk talk;
    talk.everybody_online();
    talk.published.clear();
    talk.logs.clear();
    const char* payload = GENERATE(
        R"({"code":520,"message":"x","data":{"productKey":"SUB","deviceName":"other"}})", R"({"code":520})",
        R"({"code":429,"message":"too many","data":{"productKey":"SUB","deviceName":"pump1"}})", "garbage");
    talk.hear("/ext/error/GW/gw1", payload);
    CHECK(talk.published.empty());
    CHECK_FALSE(talk.logs.empty());
    CHECK(talk.link_why.empty());
}

TEST_CASE("an MCU that is a module of the gateway needs no login", "[cloud][session]") {
    CloudConfig config = two_devices();
    config.gateway_version = "gw-1.4.0";
    config.devices = {{"pump", "", "", "", "MCU-03"}, {"valve", "GW", "gw1", "", "MCU-04"}};
    Talk talk(config);
    talk.connect();
    CHECK(talk.silent_about(kLogin));
    CHECK(talk.link_up);
    CHECK(talk.link_why.empty());
    CHECK(talk.said("/ota/device/inform/GW/gw1").at("params") == json::value{{"version", "gw-1.4.0"}});
    CHECK(talk.said("/ota/device/inform/GW/gw1").at("params") ==
          json::value{{"version", "1.0.0"}, {"module", "MCU-03"}});
    talk.hear("/ota/device/upgrade/GW/gw1", push("2.0.0", R"(,"module":"MCU-04")"));
    REQUIRE(talk.offers.size() == 1);
    CHECK(talk.offers[0].device == "valve");
    CHECK(talk.session.encode({Report::Kind::version, "pump", "", "2.0.0", 0, std::nullopt})
              .at(0)
              .payload.find("MCU-03") != std::string::npos);
}

TEST_CASE("batch login brings all online at once, and falls back to single logins when one is bad",
          "[cloud][session]") {
    CloudConfig config = two_devices();
    config.batch_login = true;
    Talk talk(config);
    talk.connect();
    const json::value batch = talk.said(kBatch);
    CHECK(batch.at("params").at("deviceList").as_array().size() == 2);
    CHECK(talk.last_qos == 0);
    SECTION("all good") {
        talk.reply(batch, kBatch, 200);
        talk.grant();
        CHECK(talk.link_why.empty());
        CHECK_FALSE(talk.silent_about("/ota/device/inform/SUB/pump1"));
        CHECK_FALSE(talk.silent_about("/ota/device/inform/SUB/valve1"));
    }
    SECTION("one bad") {
        talk.reply(batch, kBatch, 460, "sign check failed");
        talk.reply(talk.said(kLogin), kLogin, 460, "sign check failed");
        talk.accept_login();
        CHECK(talk.link_why.find("pump1") != std::string::npos);
        CHECK(talk.link_why.find("valve1") == std::string::npos);
    }
    SECTION("no reply") {
        while (talk.silent_about(kLogin))
            talk.let_time_pass();
        CHECK(talk.silent_about(kBatch));
    }
}

TEST_CASE("many devices log in a few at a time and all come online", "[cloud][session]") {
    CloudConfig config = two_devices();
    config.devices.clear();
    for (int i = 0; i < 100; ++i) {
        const std::string name = "d" + std::to_string(i);
        config.devices.push_back({name, "SUB", name, "s", ""});
    }
    SECTION("one by one") {
        Talk talk(config);
        talk.connect();
        for (int i = 0; i < 100; ++i) {
            std::size_t waiting = 0;
            for (const OutMessage& message : talk.published)
                waiting += message.topic == kLogin ? 1U : 0U;
            CHECK(waiting <= 16);
            talk.accept_login();
        }
        CHECK(talk.link_why.empty());
        CHECK(talk.link_up);
    }
    SECTION("in batches of 50") {
        config.batch_login = true;
        Talk talk(config);
        talk.connect();
        for (int i = 0; i < 2; ++i) {
            const json::value batch = talk.said(kBatch);
            CHECK(batch.at("params").at("deviceList").as_array().size() == 50);
            talk.reply(batch, kBatch, 200);
        }
        talk.grant();
        CHECK(talk.link_why.empty());
    }
}

TEST_CASE("a device disabled in the console stays quiet until it is enabled", "[cloud][session]") {
    Talk talk;
    talk.everybody_online();
    talk.published.clear();
    talk.hear("/sys/SUB/pump1/thing/disable",
              R"({"id":"77","version":"1.0","params":{},"method":"thing.disable"})");
    CHECK(talk.said("/sys/SUB/pump1/thing/disable_reply") ==
          json::parse(R"({"id":"77","code":200,"data":{}})"));
    CHECK_FALSE(talk.session.may_send({"/ota/device/progress/SUB/pump1", "", 0, ""}));
    CHECK(talk.link_why.find("disabled") != std::string::npos);
    talk.hear("/ext/error/GW/gw1",
              R"({"code":520,"message":"x","data":{"productKey":"SUB","deviceName":"pump1"}})");
    CHECK(talk.silent_about(kLogin));
    talk.hear("/sys/SUB/pump1/thing/enable", R"({"id":"78"})");
    talk.accept_login();
    CHECK(talk.link_why.empty());
}

TEST_CASE("a device added to the topology in the console is logged in without waiting", "[cloud][session]") {
    Talk talk;
    talk.connect();
    talk.reply(talk.said(kLogin), kLogin, 6100, "device not found");
    talk.accept_login();
    talk.hear(
        "/sys/GW/gw1/thing/topo/change",
        R"({"id":"27","params":{"status":1,"subList":[{"productKey":"SUB","deviceName":"pump1"},{"x":1},3]}})");
    talk.accept_login();
    CHECK(talk.link_why.empty());
}

TEST_CASE("leaving logs out who was logged in", "[cloud][session]") {
    Talk talk;
    talk.connect();
    talk.accept_login();
    const auto messages = talk.session.farewell();
    REQUIRE(messages.size() == 1);
    CHECK(messages[0].topic == "/ext/session/GW/gw1/combine/logout");
    CHECK(messages[0].qos == 0);
}
