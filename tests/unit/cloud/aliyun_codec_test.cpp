// Aliyun credentials, topics and uplinks, against the worked vectors and sample messages of the protocol
// notes.
#include "daemon/cloud/aliyun_codec.hpp"

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>
#include <cstdlib>

using namespace mcuota;
using namespace mcuota::cloud;
using namespace mcuota::cloud::aliyun;

namespace {

const Identity kGateway{"a1GwDemo001", "gw-0001"};
const SubDevice kSub{{"a1SubDemo02", "mcu-f429-01"}, "fedcba9876543210fedcba9876543210"};
constexpr std::uint64_t kSubTimestamp = 1'700'000'000'000;

CloudConfig gateway_config() {
    CloudConfig config;
    config.product_key = kGateway.product_key;
    config.device_name = kGateway.device_name;
    config.device_secret = "0123456789abcdef0123456789abcdef";
    return config;
}

/// Same JSON, whatever the order of members.
bool same_json(const std::string& a, const std::string& b) {
    INFO(a);
    INFO(b);
    return boost::json::parse(a) == boost::json::parse(b);
}

}  // namespace

TEST_CASE("the gateway's credentials follow the worked vectors", "[cloud][aliyun]") {
    CloudConfig config = gateway_config();

    SECTION("all three methods, with timestamp") {
        struct Row {
            SignMethod method;
            const char *name, *password;
        };
        const Row row =
            GENERATE(Row{SignMethod::hmac_sha256, "hmacsha256",
                         "F212386E64D06261C8CF40288791423BD84111927BC5E096F97D45A964E5926B"},
                     Row{SignMethod::hmac_sha1, "hmacsha1", "897DEF64E8DF32A9E440EFF33B0F2DE21530EA12"},
                     Row{SignMethod::hmac_md5, "hmacmd5", "0FACCD0F28E39E3318C2668EF11A7C46"});
        config.sign_method = row.method;
        const Credentials fields = connect_credentials(config);
        CHECK(fields.client_id ==
              std::string("a1GwDemo001.gw-0001|timestamp=2524608000000,securemode=2,signmethod=") + row.name +
                  "|");
        CHECK(fields.username == "gw-0001&a1GwDemo001");
        CHECK(fields.password == row.password);
    }
    SECTION("without a timestamp") {
        config.timestamp_ms = 0;
        const Credentials fields = connect_credentials(config);
        CHECK(fields.client_id == "a1GwDemo001.gw-0001|securemode=2,signmethod=hmacsha256|");
        CHECK(fields.password == "907599E6232A74DB5E3BD070CE0FD2277FE6325B01EBB1DC51F02BB5B94F2570");
    }
}

TEST_CASE("topics name the device they speak of", "[cloud][aliyun]") {
    CHECK(ota_topic("inform", kGateway) == "/ota/device/inform/a1GwDemo001/gw-0001");
    CHECK(ota_topic("progress", kSub.who) == "/ota/device/progress/a1SubDemo02/mcu-f429-01");
    CHECK(sys_topic(kSub.who, "ota/firmware/get") == "/sys/a1SubDemo02/mcu-f429-01/thing/ota/firmware/get");
    CHECK(session_topic(kGateway, "login") == "/ext/session/a1GwDemo001/gw-0001/combine/login");
    CHECK(error_topic(kGateway) == "/ext/error/a1GwDemo001/gw-0001");
}

TEST_CASE("downlink topics are recognised, and nothing else", "[cloud][aliyun]") {
    struct Row {
        const char* topic;
        Downlink kind;
    };
    const Row row = GENERATE(
        Row{"/ota/device/upgrade/p/d", Downlink::upgrade}, Row{"/ota/device/request/p/d", Downlink::request},
        Row{"/sys/p/d/thing/ota/firmware/get_reply", Downlink::firmware_get_reply},
        Row{"/ext/session/p/d/combine/login_reply", Downlink::login_reply},
        Row{"/ext/session/p/d/combine/batch_login_reply", Downlink::batch_login_reply},
        Row{"/ext/session/p/d/combine/logout_reply", Downlink::logout_reply},
        Row{"/sys/p/d/thing/topo/add_reply", Downlink::topo_add_reply},
        Row{"/sys/p/d/thing/topo/change", Downlink::topo_change},
        Row{"/sys/p/d/thing/disable", Downlink::disable}, Row{"/sys/p/d/thing/enable", Downlink::enable},
        Row{"/sys/p/d/thing/delete", Downlink::remove}, Row{"/ext/error/p/d", Downlink::session_error});
    INFO(row.topic);
    const auto parsed = parse_topic(row.topic);
    REQUIRE(parsed);
    CHECK(parsed->kind == row.kind);
    CHECK(parsed->who == Identity{"p", "d"});
}

TEST_CASE("other topics are not mistaken for downlinks", "[cloud][aliyun]") {
    const char* topic =
        GENERATE("", "/", "/ota/device/upgrade/", "/ota/device/upgrade/p", "/ota/device/upgrade/p/",
                 "/ota/device/upgrade//d", "/ota/device/upgrade/p/d/more", "/sys/p/d/thing/ota/firmware/get",
                 "/sys//d/thing/disable", "/sys/thing/disable", "/ext/error/p", "ota/device/upgrade/p/d");
    INFO(topic);
    CHECK_FALSE(parse_topic(topic));
}

TEST_CASE("sub-device messages are those of the samples", "[cloud][aliyun]") {
    CHECK(same_json(login_payload(24, kSub, SignMethod::hmac_sha256, kSubTimestamp),
                    R"({"id":"24","params":{"productKey":"a1SubDemo02","deviceName":"mcu-f429-01",
                        "clientId":"a1SubDemo02.mcu-f429-01","timestamp":"1700000000000","signMethod":"hmacSha256",
                        "sign":"88F1AFB2012490A01120DCDC2828772E3B03117EE273D2EA632C0FB2A17F1AA3","cleanSession":"true"}})"));
    CHECK(same_json(login_payload(1, kSub, SignMethod::hmac_sha1, kSubTimestamp),
                    R"({"id":"1","params":{"productKey":"a1SubDemo02","deviceName":"mcu-f429-01",
                        "clientId":"a1SubDemo02.mcu-f429-01","timestamp":"1700000000000","signMethod":"hmacSha1",
                        "sign":"5D91A0C431FC3D16C8C0D77A169ABABB863315E9","cleanSession":"true"}})"));
    CHECK(same_json(login_payload(1, kSub, SignMethod::hmac_md5, kSubTimestamp),
                    R"({"id":"1","params":{"productKey":"a1SubDemo02","deviceName":"mcu-f429-01",
                        "clientId":"a1SubDemo02.mcu-f429-01","timestamp":"1700000000000","signMethod":"hmacMd5",
                        "sign":"6C797C1C4174E5A6159F994F7FF83E33","cleanSession":"true"}})"));
    CHECK(same_json(batch_login_payload(25, {&kSub, 1}, SignMethod::hmac_sha256, kSubTimestamp),
                    R"({"id":"25","version":"1.0","params":{"signMethod":"hmacSha256","deviceList":[
                        {"productKey":"a1SubDemo02","deviceName":"mcu-f429-01","clientId":"a1SubDemo02.mcu-f429-01",
                        "timestamp":"1700000000000","cleanSession":"true",
                        "sign":"88F1AFB2012490A01120DCDC2828772E3B03117EE273D2EA632C0FB2A17F1AA3"}]}})"));
    CHECK(same_json(
        topo_add_payload(20, {&kSub, 1}, SignMethod::hmac_sha256, kSubTimestamp),
        R"({"id":"20","version":"1.0","params":[{"productKey":"a1SubDemo02","deviceName":"mcu-f429-01",
                        "clientId":"a1SubDemo02.mcu-f429-01","timestamp":"1700000000000","signmethod":"hmacSha256",
                        "sign":"88F1AFB2012490A01120DCDC2828772E3B03117EE273D2EA632C0FB2A17F1AA3"}],"method":"thing.topo.add"})"));
    CHECK(same_json(logout_payload(26, kSub.who),
                    R"({"id":"26","params":{"productKey":"a1SubDemo02","deviceName":"mcu-f429-01"}})"));
    CHECK(same_json(
        firmware_get_payload(4, "MCU"),
        R"({"id":"4","version":"1.0","params":{"module":"MCU"},"method":"thing.ota.firmware.get"})"));
    CHECK(same_json(firmware_get_payload(4, ""),
                    R"({"id":"4","version":"1.0","params":{},"method":"thing.ota.firmware.get"})"));
    CHECK(same_json(inform_payload(1, "gw-1.4.0", ""), R"({"id":"1","params":{"version":"gw-1.4.0"}})"));
    CHECK(same_json(inform_payload(2, "1.0.0", "MCU"),
                    R"({"id":"2","params":{"version":"1.0.0","module":"MCU"}})"));
    CHECK(same_json(progress_payload(6, 45, "downloading", "MCU"),
                    R"({"id":"6","params":{"step":"45","desc":"downloading","module":"MCU"}})"));
    CHECK(same_json(progress_payload(7, -3, "sha256 mismatch", "MCU"),
                    R"({"id":"7","params":{"step":"-3","desc":"sha256 mismatch","module":"MCU"}})"));
}

TEST_CASE("a description is cut to 128 bytes, never inside a character", "[cloud][aliyun]") {
    const std::string long_text = std::string(127, 'x') + "\xC3\xA9" + "tail";
    const auto sent = boost::json::parse(progress_payload(1, -1, long_text, ""));
    CHECK(std::string(sent.at("params").at("desc").as_string().c_str()) == std::string(127, 'x'));
}

TEST_CASE("errors become the platform's four failure steps", "[cloud][aliyun]") {
    struct Row {
        ErrorCode code;
        int step;
    };
    const Row row =
        GENERATE(Row{ErrorCode::download_interrupted, -2}, Row{ErrorCode::url_gone, -2},
                 Row{ErrorCode::url_expired, -2}, Row{ErrorCode::download_size_mismatch, -3},
                 Row{ErrorCode::download_digest_mismatch, -3}, Row{ErrorCode::signature_invalid, -3},
                 Row{ErrorCode::disk_full, -4}, Row{ErrorCode::image_too_large, -4},
                 Row{ErrorCode::device_busy, -1}, Row{ErrorCode::link_lost, -4},
                 Row{ErrorCode::device_storage_failed, -4}, Row{ErrorCode::offer_unsupported, -1},
                 Row{ErrorCode::trial_failed, -1}, Row{ErrorCode::internal, -1});
    CHECK(failure_step(row.code) == row.step);
}

TEST_CASE("reports become messages", "[cloud][aliyun]") {
    Report report;
    report.device = "pump-3";
    report.version = "2.0.0";

    SECTION("a version replaces an unsent older one and must arrive") {
        report.kind = Report::Kind::version;
        const auto messages = encode_report(kSub.who, "MCU", report);
        REQUIRE(messages.size() == 1);
        CHECK(messages[0].topic == "/ota/device/inform/a1SubDemo02/mcu-f429-01");
        CHECK(messages[0].qos == 1);
        CHECK_FALSE(messages[0].coalesce_key.empty());
        const auto body = boost::json::parse(messages[0].payload);
        CHECK(body.at("params").at("version") == "2.0.0");
        CHECK(body.at("params").at("module") == "MCU");
    }
    SECTION("progress is a text of 1 to 100 and may be replaced") {
        const auto step = [&](std::uint8_t percent) {
            report.percent = percent;
            const auto messages = encode_report(kSub.who, "", report);
            REQUIRE(messages.size() == 1);
            CHECK(messages[0].qos == 0);
            CHECK_FALSE(messages[0].coalesce_key.empty());
            return std::string(
                boost::json::parse(messages[0].payload).at("params").at("step").as_string().c_str());
        };
        CHECK(step(0) == "1");
        CHECK(step(45) == "45");
        report.step = "send";
        CHECK(encode_report(kSub.who, "", report)[0].payload.find(R"("desc":"send")") != std::string::npos);
        CHECK(step(200) == "100");
    }
    SECTION("a failure says step, code and words, without the url's secrets, and is never replaced") {
        report.kind = Report::Kind::failure;
        report.error = Error{ErrorCode::url_expired, "https://h/p?Signature=secret was refused", {}};
        const auto messages = encode_report(kSub.who, "MCU", report);
        REQUIRE(messages.size() == 1);
        CHECK(messages[0].qos == 1);
        CHECK(messages[0].coalesce_key.empty());
        const auto params = boost::json::parse(messages[0].payload).at("params");
        CHECK(params.at("step") == "-2");
        CHECK(params.at("desc") == "url_expired: https://h/p?… was refused");
    }
    SECTION("the id is a decimal number and the same for the same report") {
        report.kind = Report::Kind::version;
        const auto id = boost::json::parse(encode_report(kSub.who, "", report)[0].payload).at("id");
        const std::string text(id.as_string().c_str());
        CHECK(std::strtoull(text.c_str(), nullptr, 10) <= 0xFFFFFFFFULL);
        CHECK(text.find_first_not_of("0123456789") == std::string::npos);
        CHECK(encode_report(kSub.who, "", report)[0].payload ==
              encode_report(kSub.who, "", report)[0].payload);
    }
}

TEST_CASE("replies are read with numbers as numbers or text", "[cloud][aliyun]") {
    const auto login = parse_reply(
        R"({"id":"24","code":200,"message":"success","data":{"productKey":"a1SubDemo02","deviceName":"mcu-f429-01"}})");
    REQUIRE(login);
    CHECK(login->id == "24");
    CHECK(login->code == 200);
    CHECK(login->devices == std::vector<Identity>{kSub.who});

    const auto topology = parse_reply(
        R"({"id":20,"code":"200","data":[{"productKey":"a1SubDemo02","deviceName":"mcu-f429-01"},7,{}]})");
    REQUIRE(topology);
    CHECK(topology->id == "20");
    CHECK(topology->devices == std::vector<Identity>{kSub.who});

    CHECK_FALSE(parse_reply(R"({"id":"1"})"));
    CHECK_FALSE(parse_reply(R"({"id":"1","code":-5})"));
    CHECK_FALSE(parse_reply("null"));
    CHECK_FALSE(parse_reply(""));
}

TEST_CASE("our own legacy question is told from its answer", "[cloud][aliyun]") {
    CHECK(is_own_request(R"({"id":3,"params":{"version":"gw-1.4.0"}})"));
    CHECK_FALSE(is_own_request(R"({"code":"1000","data":{"url":"x"},"id":1,"message":"success"})"));
    CHECK_FALSE(is_own_request("garbage"));
}
