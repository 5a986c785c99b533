// The MQTT shell against a real broker: what it survives, what it says, what stays in the outbox.
#include "daemon/cloud/mqtt_shell.hpp"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>
#include <chrono>
#include <functional>

#include "test_broker.hpp"

using namespace mcuota;
using namespace mcuota::cloud;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

constexpr const char* kUser = "user&1";
constexpr const char* kPassword = "secret";

/// Certificates take a moment to make: once for the whole program.
const std::filesystem::path& certificates() {
    static const test::TempFolder folder;
    static const bool made = (test::make_certificates(folder.path()), true);
    (void)made;
    return folder.path();
}

/// Subscribes to its own topics, so that the broker sends everything back.
struct Echo final : Protocol {
    std::string password{kPassword}, user{kUser}, client_id{"echo"};
    std::vector<std::string> filters{"t/#"};
    std::string held_topic;
    std::vector<std::pair<std::string, std::string>> heard;
    int connections{0}, disconnections{0};
    std::function<Actions(const std::string&, const std::string&)> answer;

    ConnectPlan connect_plan() const override { return {client_id, user, password}; }
    Actions on_connected(std::uint64_t) override {
        ++connections;
        return {action::Subscribe{1, filters}};
    }
    Actions on_disconnected() override {
        ++disconnections;
        return {};
    }
    Actions on_subscribed(std::uint32_t, bool ok, std::uint64_t) override {
        if (!ok) return {action::Reconnect{"not granted"}};
        return {action::LinkState{true, ""}};
    }
    Actions on_message(const std::string& topic, const std::string& payload, std::uint64_t) override {
        heard.emplace_back(topic, payload);
        return answer ? answer(topic, payload) : Actions{};
    }
    Actions on_timer(std::uint64_t) override { return {}; }
    Actions on_offer_wanted(const std::string& device, const std::string&, std::uint64_t) override {
        return {action::Publish{{"t/wanted", device, 1, ""}}};
    }
    std::uint64_t deadline_ms() const override { return kNever; }
    bool may_send(const OutMessage& message) const override { return message.topic != held_topic; }
    std::vector<OutMessage> farewell() override { return {{"t/bye", "", 0, ""}}; }
    std::vector<OutMessage> encode(const Report&) const override { return {}; }
};

struct MemoryOutbox final : Outbox {
    std::vector<Item> items;
    std::vector<Item> pending(const std::string&, std::size_t limit) override {
        return {items.begin(), items.begin() + static_cast<std::ptrdiff_t>(std::min(limit, items.size()))};
    }
    void acknowledged(std::int64_t id) override {
        items.erase(
            std::remove_if(items.begin(), items.end(), [id](const Item& item) { return item.id == id; }),
            items.end());
    }
    void add(const std::string& topic, const std::string& payload, int qos = 1) {
        items.push_back({++last_id, {topic, payload, qos, ""}});
    }
    std::int64_t last_id{0};
};

struct Sink final : CloudSink {
    std::vector<Offer> offers;
    std::vector<std::pair<bool, std::string>> links;
    void on_offer(const Offer& offer) override { offers.push_back(offer); }
    void on_bad_offer(const std::string&, const std::string&, const Error&) override {}
    void on_link(const std::string&, bool up, const std::string& why) override {
        links.emplace_back(up, why);
    }
    [[nodiscard]] bool up() const { return !links.empty() && links.back().first; }
    [[nodiscard]] std::string why() const { return links.empty() ? std::string{} : links.back().second; }
    [[nodiscard]] bool down() const { return !links.empty() && !links.back().first; }
};

/// An event loop with one shell on it.
struct Bench {
    explicit Bench(std::uint16_t port, const std::function<void(Echo&, MqttOptions&)>& change = {}) {
        MqttOptions options;
        options.name = "test";
        options.host = "127.0.0.1";
        options.port = port;
        options.ca_file = certificates() / "ca.crt";
        options.reconnect_min_ms = 50;
        options.reconnect_max_ms = 200;
        options.connect_timeout_ms = 3'000;
        auto protocol = std::make_unique<Echo>();
        echo = protocol.get();
        if (change) change(*echo, options);
        shell.emplace(options, std::move(protocol), loop.get_executor(), sink, outbox,
                      [this](LogLevel, const std::string& text) { log.push_back(text); });
    }
    /// Runs the loop until `condition` holds; false when it never does.
    bool until(const std::function<bool()>& condition, std::chrono::milliseconds limit = 15s) {
        const auto end = std::chrono::steady_clock::now() + limit;
        loop.restart();
        while (!condition()) {
            const auto now = std::chrono::steady_clock::now();
            if (now >= end) return false;
            loop.run_one_for(std::min<std::chrono::steady_clock::duration>(end - now, 50ms));
            if (loop.stopped()) loop.restart();
        }
        return true;
    }
    [[nodiscard]] std::vector<std::string> payloads(const std::string& topic) const {
        std::vector<std::string> out;
        for (const auto& [heard_topic, payload] : echo->heard)
            if (heard_topic == topic) out.push_back(payload);
        return out;
    }

    boost::asio::io_context loop;
    Sink sink;
    MemoryOutbox outbox;
    std::vector<std::string> log;
    Echo* echo;
    std::optional<MqttShell> shell;
};

}  // namespace

TEST_CASE("the outbox is drained in order and emptied by acknowledgements", "[cloud][mqtt]") {
    test::Broker broker(certificates(), {{kUser, kPassword}});
    Bench bench(broker.port());
    for (int i = 0; i < 50; ++i)
        bench.outbox.add("t/x", std::to_string(i), i % 3 == 0 ? 0 : 1);
    bench.shell->start();
    CHECK_FALSE(bench.shell->connected());
    REQUIRE(bench.until([&] { return bench.outbox.items.empty() && bench.echo->heard.size() == 50; }));
    CHECK(bench.shell->connected());
    CHECK(bench.sink.links == std::vector<std::pair<bool, std::string>>{{true, ""}});
    std::vector<std::string> expected;
    expected.reserve(50);
    for (int i = 0; i < 50; ++i)
        expected.push_back(std::to_string(i));
    CHECK(bench.payloads("t/x") == expected);

    bench.outbox.add("t/y", "later");
    bench.shell->outbox_changed();
    REQUIRE(bench.until([&] { return bench.payloads("t/y").size() == 1; }));
    bench.shell->request_offer("pump", "");
    REQUIRE(bench.until([&] { return bench.payloads("t/wanted").size() == 1; }));
}

TEST_CASE("a message that may not go yet does not hold up the others", "[cloud][mqtt]") {
    test::Broker broker(certificates(), {{kUser, kPassword}});
    Bench bench(broker.port(), [](Echo& echo, MqttOptions&) { echo.held_topic = "t/held"; });
    bench.outbox.add("t/held", "1");
    bench.outbox.add("t/x", "2");
    bench.shell->start();
    REQUIRE(bench.until([&] { return bench.payloads("t/x").size() == 1 && bench.outbox.items.size() == 1; }));
    CHECK(bench.outbox.items[0].message.topic == "t/held");
    bench.echo->held_topic.clear();
    bench.shell->outbox_changed();
    REQUIRE(bench.until([&] { return bench.outbox.items.empty(); }));
}

TEST_CASE("a broker killed and started again loses no message", "[cloud][mqtt]") {
    test::Broker broker(certificates(), {{kUser, kPassword}});
    Bench bench(broker.port());
    bench.shell->start();
    REQUIRE(bench.until([&] { return bench.sink.up(); }));
    for (int round = 0; round < 3; ++round) {
        broker.kill();
        bench.outbox.add("t/x", "round " + std::to_string(round));
        bench.shell->outbox_changed();
        REQUIRE(bench.until([&] { return bench.sink.down(); }));
        CHECK_FALSE(bench.shell->connected());
        CHECK(bench.outbox.items.size() == 1);
        broker.start();
        REQUIRE(bench.until([&] { return bench.sink.up() && bench.outbox.items.empty(); }));
    }
    // Every new connection subscribes anew: the last message is heard.
    REQUIRE(bench.until([&] {
        const auto heard = bench.payloads("t/x");
        return std::find(heard.begin(), heard.end(), "round 2") != heard.end();
    }));
    CHECK(bench.echo->connections == 4);
    CHECK(bench.echo->disconnections == 3);
}

TEST_CASE("wrong credentials are said in words and tried again slowly", "[cloud][mqtt]") {
    test::Broker broker(certificates(), {{kUser, kPassword}});
    Bench bench(broker.port(), [](Echo& echo, MqttOptions& options) {
        echo.password = "wrong";
        options.login_refused_retry_ms = 700;
    });
    bench.shell->start();
    REQUIRE(bench.until([&] { return bench.sink.down(); }));
    const auto refused_at = std::chrono::steady_clock::now();
    CHECK(bench.sink.why().find("cloud_login_refused") != std::string::npos);
    CHECK(bench.sink.why().find(kUser) != std::string::npos);
    CHECK(bench.sink.why().find("device_secret") != std::string::npos);
    CHECK(bench.sink.why().find("wrong") == std::string::npos);
    bench.echo->password = kPassword;
    REQUIRE(bench.until([&] { return bench.sink.up(); }));
    CHECK(std::chrono::steady_clock::now() - refused_at >= 690ms);
}

TEST_CASE("a server that cannot be trusted or reached is named with its reason", "[cloud][mqtt]") {
    struct Row {
        const char* name;
        std::function<void(MqttOptions&)> change;
        const char* says;
    };
    const std::uint16_t closed = test::free_port();
    const Row row = GENERATE_COPY(
        Row{"another CA", [](MqttOptions& o) { o.ca_file = certificates() / "other.crt"; }, "certificate"},
        Row{"another name", [](MqttOptions& o) { o.host = "localhost"; }, "mismatch"},
        Row{"the system's CAs only", [](MqttOptions& o) { o.ca_file.clear(); }, "certificate"},
        Row{"no such CA file", [](MqttOptions& o) { o.ca_file = "/nonexistent/ca.crt"; },
            "/nonexistent/ca.crt"},
        Row{"nobody listens", [closed](MqttOptions& o) { o.port = closed; }, "refused"},
        Row{"no such name", [](MqttOptions& o) { o.host = "mcuota-test.invalid"; }, "does not resolve"});
    INFO(row.name);
    test::Broker broker(certificates(), {{kUser, kPassword}});
    Bench bench(broker.port(), [&](Echo&, MqttOptions& options) { row.change(options); });
    bench.outbox.add("t/x", "kept");
    bench.shell->start();
    REQUIRE(bench.until([&] { return bench.sink.down(); }, 30s));
    INFO(bench.sink.why());
    CHECK(bench.sink.why().find(row.says) != std::string::npos);
    CHECK(bench.sink.why().find("cloud_unreachable") != std::string::npos);
    CHECK(bench.outbox.items.size() == 1);
    CHECK(bench.echo->connections == 0);
}

TEST_CASE("a broker that falls silent is given up, and found again", "[cloud][mqtt]") {
    test::Broker broker(certificates(), {{kUser, kPassword}});
    Bench bench(broker.port(), [](Echo&, MqttOptions& options) { options.ack_timeout_ms = 500; });
    bench.shell->start();
    REQUIRE(bench.until([&] { return bench.sink.up(); }));
    broker.pause();
    bench.outbox.add("t/x", "into the silence");
    bench.shell->outbox_changed();
    REQUIRE(bench.until([&] { return bench.sink.down(); }));
    CHECK(bench.sink.why().find("acknowledges nothing") != std::string::npos);
    CHECK(bench.outbox.items.size() == 1);
    broker.resume();
    REQUIRE(bench.until([&] { return bench.sink.up() && bench.outbox.items.empty(); }, 30s));
}

TEST_CASE("a server that accepts and says nothing is given up after the connect timeout", "[cloud][mqtt]") {
    test::SilentServer server;
    Bench bench(server.port(), [](Echo&, MqttOptions& options) { options.connect_timeout_ms = 1'000; });
    bench.shell->start();
    REQUIRE(bench.until([&] { return bench.sink.down(); }, 20s));
    CHECK(bench.sink.why().find("cloud_unreachable") != std::string::npos);
}

TEST_CASE("stopping is prompt in every state, and nothing is heard afterwards", "[cloud][mqtt]") {
    const std::string state = GENERATE("not started", "connecting to silence", "connected",
                                       "waiting to reconnect", "broker silent");
    INFO(state);
    test::SilentServer silence;
    std::optional<test::Broker> broker;
    std::uint16_t port = silence.port();
    if (state != "connecting to silence") {
        broker.emplace(certificates(), std::vector<std::pair<std::string, std::string>>{{kUser, kPassword}});
        port = broker->port();
    }
    Bench bench(port, [](Echo&, MqttOptions& options) {
        options.reconnect_min_ms = options.reconnect_max_ms = 60'000;
    });
    if (state != "not started") bench.shell->start();
    if (state == "connecting to silence") bench.until([] { return false; }, 300ms);
    if (state == "connected" || state == "broker silent" || state == "waiting to reconnect")
        REQUIRE(bench.until([&] { return bench.sink.up(); }));
    if (state == "waiting to reconnect") {
        broker->kill();
        REQUIRE(bench.until([&] { return bench.sink.down(); }));
    }
    if (state == "broker silent") broker->pause();

    const std::size_t links = bench.sink.links.size();
    const auto begin = std::chrono::steady_clock::now();
    bench.shell->stop();
    bench.shell->stop();
    CHECK(std::chrono::steady_clock::now() - begin < 200ms);
    bench.outbox.add("t/x", "too late");
    bench.shell->outbox_changed();
    bench.shell->request_offer("pump", "");
    bench.until([] { return false; }, 200ms);
    CHECK(bench.sink.links.size() == links);
    CHECK(bench.outbox.items.size() == 1);
    const auto destroy = std::chrono::steady_clock::now();
    bench.shell.reset();
    CHECK(std::chrono::steady_clock::now() - destroy < 2s);
}

TEST_CASE("an orderly stop says goodbye before it goes", "[cloud][mqtt]") {
    test::Broker broker(certificates(), {{kUser, kPassword}});
    Bench listener(broker.port(), [](Echo& echo, MqttOptions&) { echo.client_id = "listener"; });
    listener.shell->start();
    REQUIRE(listener.until([&] { return listener.sink.up(); }));
    {
        Bench leaver(broker.port());
        leaver.shell->start();
        REQUIRE(leaver.until([&] { return leaver.sink.up(); }));
        const auto begin = std::chrono::steady_clock::now();
        leaver.shell.reset();
        CHECK(std::chrono::steady_clock::now() - begin < 1'500ms);
    }
    REQUIRE(listener.until([&] { return listener.payloads("t/bye").size() == 1; }));
}

TEST_CASE("the Aliyun adapter goes online, reports and hears an offer through a real broker",
          "[cloud][mqtt]") {
    CloudConfig config;
    config.name = "ali";
    config.host = "127.0.0.1";
    config.ca_file = certificates() / "ca.crt";
    config.product_key = "a1GwDemo001";
    config.device_name = "gw-0001";
    config.device_secret = "0123456789abcdef0123456789abcdef";
    config.reconnect_min_ms = 1'500;  // the platform's side is back first
    config.devices = {{"pump", "a1SubDemo02", "mcu-f429-01", "fedcba9876543210fedcba9876543210", "MCU"}};
    test::Broker broker(
        certificates(),
        {{"cloud", "c"},
         {"gw-0001&a1GwDemo001", "F212386E64D06261C8CF40288791423BD84111927BC5E096F97D45A964E5926B"}});
    config.port = broker.port();

    // The platform's side: accepts the login, offers an update when polled.
    Bench platform(broker.port(), [](Echo& echo, MqttOptions&) {
        echo.user = "cloud";
        echo.password = "c";
        echo.client_id = "platform";
        echo.filters = {"/ota/device/inform/#", "/ota/device/progress/#", "/ext/session/+/+/combine/login",
                        "/sys/+/+/thing/ota/firmware/get"};
        echo.answer = [](const std::string& topic, const std::string& payload) -> Actions {
            const json::value asked = json::parse(payload);
            json::object reply{
                {"id", asked.at("id")}, {"code", 200}, {"message", "success"}, {"data", json::object{}}};
            if (topic.ends_with("/firmware/get"))
                reply["data"] =
                    json::parse(R"({"size":5,"version":"2.0.0","url":"https://h/p?s=1","module":"MCU",
                    "signMethod":"MD5","sign":"1bea9b074cb2e2758d285df71ce2e59a"})");
            if (topic.find("/ota/device/") == 0) return {};
            return {action::Publish{{topic + "_reply", json::serialize(reply), 1, ""}}};
        };
    });
    platform.shell->start();
    REQUIRE(platform.until([&] { return platform.sink.up(); }));

    Sink sink;
    MemoryOutbox outbox;
    auto made = make_cloud(config, platform.loop.get_executor(), sink, outbox,
                           [](const std::string&) { return std::optional<std::string>("1.0.0"); });
    REQUIRE(made);
    std::unique_ptr<Cloud> cloud = std::move(*made);
    for (const OutMessage& message : cloud->encode(
             {Report::Kind::failure, "pump", "MCU", "1.5.0", 0, Error{ErrorCode::disk_full, "no room"}}))
        outbox.items.push_back({1, message});
    cloud->start();
    REQUIRE(platform.until(
        [&] { return sink.up() && sink.why().empty() && !sink.offers.empty() && outbox.items.empty(); }));
    CHECK(sink.offers[0].device == "pump");
    CHECK(sink.offers[0].version == "2.0.0");
    REQUIRE(platform.until([&] {
        return !platform.payloads("/ota/device/inform/a1SubDemo02/mcu-f429-01").empty() &&
               !platform.payloads("/ota/device/progress/a1SubDemo02/mcu-f429-01").empty();
    }));
    broker.kill();
    REQUIRE(platform.until([&] { return sink.down(); }));
    broker.start();
    REQUIRE(platform.until([&] { return sink.up() && sink.offers.size() >= 2; }));
    cloud->stop();
}

TEST_CASE("configurations that cannot work are refused", "[cloud]") {
    boost::asio::io_context loop;
    Sink sink;
    MemoryOutbox outbox;
    CloudConfig config;
    config.name = "x";
    const auto refused = [&] {
        const auto made = make_cloud(config, loop.get_executor(), sink, outbox, {});
        return !made && made.error().code == ErrorCode::config_invalid;
    };
    CHECK_FALSE(refused());
    config.provider = "nebula";
    CHECK(refused());
    config.provider = "aliyun";
    config.require_signature = true;
    CHECK(refused());
    config.digest_sign = DigestSignMode::digest;
    CHECK(refused());
    config.digest_sign_n_hex = std::string(512, '0');
    CHECK(refused());
}
