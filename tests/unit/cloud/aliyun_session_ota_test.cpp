// The Aliyun session: offers, polls and reports of devices that are online.
#include <catch2/catch.hpp>

#include "tests/unit/cloud/aliyun_talk.hpp"

using namespace mcuota;
using namespace mcuota::cloud;
using namespace mcuota::cloud::aliyun;

TEST_CASE("an offer is delivered with our names, as often as it is pushed", "[cloud][session]") {
    Talk talk;
    talk.everybody_online();
    talk.hear("/ota/device/upgrade/SUB/pump1", push("2.0.0"));
    talk.hear("/ota/device/upgrade/SUB/pump1", push("2.0.0"));
    talk.hear("/ota/device/upgrade/SUB/valve1", push("2.0.0", R"(,"module":"MCU")"));
    REQUIRE(talk.offers.size() == 3);
    CHECK(talk.offers[0].provider == "ali");
    CHECK(talk.offers[0].device == "pump");
    CHECK(talk.offers[0].module.empty());
    CHECK(talk.offers[0].url == "https://h/p?sig=x");
    CHECK(talk.offers[0].same_content(talk.offers[1]));
    CHECK(talk.offers[2].device == "valve");
    CHECK(talk.offers[2].module == "MCU");
}

TEST_CASE("a push for a device nobody configured is logged and ignored", "[cloud][session]") {
    Talk talk;
    talk.everybody_online();
    talk.published.clear();
    talk.hear("/ota/device/upgrade/SUB/stranger", push("2.0.0"));
    talk.hear("/ota/device/upgrade/GW/gw1", push("2.0.0"));
    CHECK(talk.offers.empty());
    CHECK(talk.bad_offers.empty());
    CHECK(talk.published.empty());
    CHECK(any_contains(talk.logs, "SUB/stranger"));
    CHECK(any_contains(talk.logs, "GW/gw1"));
}

TEST_CASE("a push for an unknown module is refused to the platform, for that module", "[cloud][session]") {
    Talk talk;
    talk.everybody_online();
    talk.hear("/ota/device/upgrade/SUB/valve1", push("2.0.0", R"(,"module":"WIFI")"));
    CHECK(talk.offers.empty());
    const json::value told = talk.said("/ota/device/progress/SUB/valve1");
    CHECK(told.at("params").at("step") == "-1");
    CHECK(told.at("params").at("module") == "WIFI");
}

TEST_CASE("a push that cannot be followed is reported, without its secrets in the log", "[cloud][session]") {
    Talk talk;
    talk.everybody_online();
    talk.hear("/ota/device/upgrade/SUB/pump1", push("2.0.0", R"(,"size":0)"));
    talk.hear("/ota/device/upgrade/SUB/valve1", "not json");
    talk.hear("/ota/device/upgrade/SUB/pump1", push("2.0.0", R"(,"dProtocol":"mqtt","streamId":1)"));
    REQUIRE(talk.bad_offers.size() == 3);
    CHECK(talk.bad_offers[0].device == "pump");
    CHECK(talk.bad_offers[0].error.code == ErrorCode::offer_malformed);
    CHECK(talk.bad_offers[1].device == "valve");
    CHECK(talk.bad_offers[1].error.code == ErrorCode::cloud_message_malformed);
    CHECK(talk.bad_offers[2].error.code == ErrorCode::offer_unsupported);
    CHECK_FALSE(any_contains(talk.logs, "sig=x"));
}

TEST_CASE("a poll's answer is an offer, even when it leaves out the module that was asked for",
          "[cloud][session]") {
    Talk talk;
    talk.everybody_online();
    talk.reply(talk.said(poll_topic("SUB/pump1")), poll_topic("SUB/pump1"), 200);
    const json::value poll = talk.said(poll_topic("SUB/valve1"));
    const std::string id(poll.at("id").as_string().c_str());
    std::string answer = push("3.0.0");
    answer.replace(answer.find("\"9\""), 3, "\"" + id + "\"");
    talk.hear(poll_topic("SUB/valve1") + "_reply", answer);
    REQUIRE(talk.offers.size() == 1);
    CHECK(talk.offers[0].device == "valve");
    CHECK(talk.offers[0].module == "MCU");
    CHECK(talk.session.deadline_ms() == kNever);  // nothing is awaited any more
}

TEST_CASE("an unanswered poll is repeated a few times and then given up", "[cloud][session]") {
    Talk talk;
    talk.everybody_online();
    int asked = 0;
    while (talk.session.deadline_ms() != kNever) {
        for (const OutMessage& message : talk.published)
            asked += message.topic == poll_topic("SUB/pump1") ? 1 : 0;
        talk.published.clear();
        talk.let_time_pass();
        REQUIRE(asked < 10);
    }
    CHECK(asked == 3);
    CHECK(any_contains(talk.logs, "did not answer"));
}

TEST_CASE("a wanted offer is asked for at once, or as soon as the device is online", "[cloud][session]") {
    Talk talk;
    talk.take(talk.session.on_offer_wanted("pump", "", talk.now));
    CHECK(talk.published.empty());
    talk.everybody_online();
    CHECK_FALSE(talk.silent_about(poll_topic("SUB/pump1")));
    talk.published.clear();
    talk.take(talk.session.on_offer_wanted("valve", "MCU", talk.now));
    CHECK(talk.said(poll_topic("SUB/valve1")).at("params").at("module") == "MCU");
    talk.take(talk.session.on_offer_wanted("nobody", "", talk.now));
    CHECK(talk.published.empty());
}

TEST_CASE("the legacy poll goes over the request topic and its echo is not an offer", "[cloud][session]") {
    CloudConfig config = two_devices();
    config.legacy_request = true;
    Talk talk(config);
    talk.everybody_online();
    CHECK(any_contains(talk.filters, "/ota/device/request/SUB/pump1"));
    const json::value asked = talk.said("/ota/device/request/SUB/pump1");
    CHECK(asked.at("params").at("version") == "1.0.0");
    talk.hear("/ota/device/request/SUB/pump1", json::serialize(asked));
    CHECK(talk.offers.empty());
    CHECK(talk.bad_offers.empty());
    talk.hear("/ota/device/request/SUB/pump1", push("2.0.0"));
    CHECK(talk.offers.size() == 1);
}

TEST_CASE("outbox messages wait for their own sub-device only", "[cloud][session]") {
    Talk talk;
    const OutMessage pump{"/ota/device/progress/SUB/pump1", "", 0, ""},
        gone{"/ota/device/progress/SUB/removed", "", 0, ""};
    CHECK_FALSE(talk.session.may_send(pump));
    CHECK_FALSE(talk.session.may_send(gone));
    talk.connect();
    CHECK_FALSE(talk.session.may_send(pump));
    CHECK(talk.session.may_send(gone));
    talk.accept_login();
    CHECK(talk.session.may_send(pump));
    talk.take(talk.session.on_disconnected());
    CHECK_FALSE(talk.session.may_send(pump));
}

TEST_CASE("reports are written for the identity the device has on this cloud", "[cloud][session]") {
    Talk talk;
    const auto messages = talk.session.encode({Report::Kind::version, "valve", "", "2.0.0", 0, std::nullopt});
    REQUIRE(messages.size() == 1);
    CHECK(messages[0].topic == "/ota/device/inform/SUB/valve1");
    CHECK(json::parse(messages[0].payload).at("params").at("module") == "MCU");
    CHECK(talk.session.encode({Report::Kind::version, "nobody", "", "2.0.0", 0, std::nullopt}).empty());
}

TEST_CASE("garbage on every topic leaves the session in order", "[cloud][session]") {
    Talk talk;
    talk.everybody_online();
    talk.published.clear();
    const std::string payload =
        GENERATE(std::string{}, std::string("{}"), std::string("[[[["),
                 std::string(R"({"id":{},"code":[],"data":7,"params":null})"),
                 std::string(R"({"id":"1","code":200,"data":"x","params":{"subList":{}}})"),
                 std::string("\x00\x01", 2));
    for (const char* topic :
         {"/ota/device/upgrade/SUB/pump1", "/ota/device/request/SUB/pump1",
          "/sys/SUB/pump1/thing/ota/firmware/get_reply", "/ext/session/GW/gw1/combine/login_reply",
          "/ext/session/GW/gw1/combine/batch_login_reply", "/ext/session/GW/gw1/combine/logout_reply",
          "/sys/GW/gw1/thing/topo/add_reply", "/sys/GW/gw1/thing/topo/change", "/ext/error/GW/gw1",
          "/what/ever", ""})
        talk.hear(topic, payload);
    CHECK(talk.offers.empty());
    CHECK(talk.link_why.empty());
    CHECK(talk.session.may_send({"/ota/device/progress/SUB/pump1", "", 0, ""}));
}
