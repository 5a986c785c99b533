// The Aliyun session as scripted conversations: what is said, in which order, after which trouble.
#include "daemon/cloud/aliyun_session.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>
#include <map>
#include <set>

using namespace mcuota;
using namespace mcuota::cloud;
using namespace mcuota::cloud::aliyun;
namespace json = boost::json;

namespace {

const std::string kGw = "GW/gw1";
const std::string kLogin = "/ext/session/GW/gw1/combine/login";
const std::string kBatch = "/ext/session/GW/gw1/combine/batch_login";
const std::string kTopoAdd = "/sys/GW/gw1/thing/topo/add";

std::string poll_topic(const std::string& who) {
    return "/sys/" + who + "/thing/ota/firmware/get";
}

CloudConfig two_devices() {
    CloudConfig config;
    config.name = "ali";
    config.product_key = "GW";
    config.device_name = "gw1";
    config.device_secret = "secret";
    config.devices = {{"pump", "SUB", "pump1", "s1", ""}, {"valve", "SUB", "valve1", "s2", "MCU"}};
    return config;
}

/// Plays the shell and the platform at once, and keeps what the session says.
struct Talk {
    explicit Talk(CloudConfig config = two_devices(), SessionLimits limits = {})
        : session(
              std::move(config),
              [this](const std::string& device) -> std::optional<std::string> {
                  const auto found = versions.find(device);
                  return found == versions.end() ? std::nullopt : std::optional(found->second);
              },
              7, limits) {}

    void take(const Actions& actions) {
        for (const Action& action : actions) {
            if (const auto* sent = std::get_if<action::Publish>(&action)) published.push_back(sent->message);
            if (const auto* wanted = std::get_if<action::Subscribe>(&action)) subscribes.push_back(*wanted);
            if (const auto* offer = std::get_if<action::DeliverOffer>(&action))
                offers.push_back(offer->offer);
            if (const auto* bad = std::get_if<action::DeliverBadOffer>(&action)) bad_offers.push_back(*bad);
            if (const auto* link = std::get_if<action::LinkState>(&action))
                link_why = link->why, link_up = link->up;
            if (const auto* again = std::get_if<action::Reconnect>(&action)) reconnects.push_back(again->why);
            if (const auto* log = std::get_if<action::Log>(&action)) logs.push_back(log->text);
        }
    }
    /// Grants every subscription asked for, until no more come.
    void grant() {
        while (!subscribes.empty()) {
            const action::Subscribe wanted = subscribes.front();
            subscribes.erase(subscribes.begin());
            for (const std::string& filter : wanted.filters)
                filters.push_back(filter);
            take(session.on_subscribed(wanted.tag, true, now));
        }
    }
    void connect() {
        take(session.on_connected(now));
        grant();
    }
    void hear(const std::string& topic, const std::string& payload) {
        take(session.on_message(topic, payload, now));
    }
    /// Takes the first unread message to `topic`; fails when there is none.
    json::value said(const std::string& topic) {
        for (auto it = published.begin(); it != published.end(); ++it) {
            if (it->topic != topic) continue;
            const json::value body = json::parse(it->payload);
            last_qos = it->qos;
            published.erase(it);
            return body;
        }
        FAIL("nothing was said to " << topic);
        return {};
    }
    bool silent_about(const std::string& topic) const {
        for (const OutMessage& message : published)
            if (message.topic == topic) return false;
        return true;
    }
    void reply(const json::value& request, const std::string& topic, int code,
               const std::string& message = "success") {
        json::object body{
            {"id", request.at("id")}, {"code", code}, {"message", message}, {"data", json::object{}}};
        hear(topic + "_reply", json::serialize(body));
    }
    /// Answers the next login (or several) and grants what follows.
    void accept_login(int count = 1) {
        for (int i = 0; i < count; ++i)
            reply(said(kLogin), kLogin, 200);
        grant();
    }
    /// Lets time pass to the session's own deadline.
    void let_time_pass() {
        REQUIRE(session.deadline_ms() != kNever);
        now = std::max(now, session.deadline_ms());
        take(session.on_timer(now));
    }
    void everybody_online() {
        connect();
        accept_login(2);
        CHECK(link_up);
        CHECK(link_why.empty());
    }

    std::map<std::string, std::string> versions{{"pump", "1.0.0"}, {"valve", "1.5.0"}};
    Session session;
    std::uint64_t now{1000};
    std::vector<OutMessage> published;
    std::vector<action::Subscribe> subscribes;
    std::vector<std::string> filters, reconnects, logs;
    std::vector<Offer> offers;
    std::vector<action::DeliverBadOffer> bad_offers;
    std::string link_why;
    bool link_up{false};
    int last_qos{-1};
};

std::string push(const std::string& version, const std::string& more = "") {
    return R"({"id":"9","code":200,"data":{"size":5,"version":")" + version +
           R"(","url":"https://h/p?sig=x","md5":"1bea9b074cb2e2758d285df71ce2e59a")" + more + "}}";
}
bool any_contains(const std::vector<std::string>& texts, const std::string& part) {
    for (const std::string& text : texts)
        if (text.find(part) != std::string::npos) return true;
    return false;
}

}  // namespace

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

TEST_CASE("leaving logs out who was logged in", "[cloud][session]") {
    Talk talk;
    talk.connect();
    talk.accept_login();
    const auto messages = talk.session.farewell();
    REQUIRE(messages.size() == 1);
    CHECK(messages[0].topic == "/ext/session/GW/gw1/combine/logout");
    CHECK(messages[0].qos == 0);
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
