#pragma once
// Scripted conversations with the Aliyun session: plays the shell and the platform at once.

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "daemon/cloud/aliyun_session.hpp"

namespace mcuota::cloud::aliyun {

namespace json = boost::json;

inline const std::string kGw = "GW/gw1";
inline const std::string kLogin = "/ext/session/GW/gw1/combine/login";
inline const std::string kBatch = "/ext/session/GW/gw1/combine/batch_login";
inline const std::string kTopoAdd = "/sys/GW/gw1/thing/topo/add";

inline std::string poll_topic(const std::string& who) {
    return "/sys/" + who + "/thing/ota/firmware/get";
}

inline CloudConfig two_devices() {
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

inline std::string push(const std::string& version, const std::string& more = "") {
    return R"({"id":"9","code":200,"data":{"size":5,"version":")" + version +
           R"(","url":"https://h/p?sig=x","md5":"1bea9b074cb2e2758d285df71ce2e59a")" + more + "}}";
}
inline bool any_contains(const std::vector<std::string>& texts, const std::string& part) {
    for (const std::string& text : texts)
        if (text.find(part) != std::string::npos) return true;
    return false;
}

}  // namespace mcuota::cloud::aliyun
