// Update pushes in every form the platform is known to send, and what a damaged or hostile one leads to.
#include <catch2/catch.hpp>

#include "daemon/cloud/aliyun_codec.hpp"

using namespace mcuota;
using namespace mcuota::cloud;
using namespace mcuota::cloud::aliyun;

namespace {

const std::string kUrl =
    "https://ota-demo.oss-cn-shanghai.aliyuncs.com/ota/9f2c/"
    "mcu_v2.bin?Expires=1700086400&OSSAccessKeyId=STS.demoKeyId"
    "&Signature=Zm9vYmFyYmF6cXV4%2Fdemo%3D&security-token=CAISdemo%2BToken%3D";
const std::string kMd5 = "1bea9b074cb2e2758d285df71ce2e59a";
const std::string kSha256 = "b09cafd8c2ed7e36e5ba8e46b8afd3c7df5853e6f1c61bd2c922c7a9851d52de";

std::string wrap(const std::string& data,
                 const std::string& head = R"("id":"123","code":200,"message":"success")") {
    return "{" + head + ",\"data\":{" + data + "}}";
}
std::string core(const std::string& digest) {
    return R"("size":1088,"version":"2.0.0","url":")" + kUrl + "\"," + digest;
}
const std::string kMd5New = R"("signMethod":"MD5","sign":")" + kMd5 + R"(","md5":")" + kMd5 + "\"";

Offer offer_of(const std::string& payload, PushRules rules = {}) {
    INFO(payload);
    const auto parsed = parse_push(payload, rules);
    if (const auto* failed = std::get_if<PushError>(&parsed)) FAIL(failed->error.line());
    REQUIRE(std::get<Push>(parsed).offer);
    return *std::get<Push>(parsed).offer;
}
PushError error_of(const std::string& payload, PushRules rules = {}) {
    INFO(payload);
    const auto parsed = parse_push(payload, rules);
    REQUIRE(std::holds_alternative<PushError>(parsed));
    return std::get<PushError>(parsed);
}

}  // namespace

TEST_CASE("the 2018 form: text code, numeric id, MD5 only", "[cloud][aliyun][push]") {
    const Offer offer = offer_of(
        wrap(core(R"("md5":")" + kMd5 + "\""), R"("code":"1000","id":1507707025,"message":"success")"));
    CHECK(offer.request_id == "1507707025");
    CHECK(offer.version == "2.0.0");
    CHECK(offer.size_bytes == 1088);
    CHECK(offer.url == kUrl);
    CHECK(offer.digest_kind == DigestKind::md5);
    CHECK(offer.digest_hex == kMd5);
    CHECK(offer.module.empty());
    CHECK_FALSE(offer.is_diff);
}

TEST_CASE("the present form with module and extData", "[cloud][aliyun][push]") {
    const Offer offer = offer_of(wrap(
        core(R"("isDiff":0,)" + kMd5New + R"(,"module":"MCU","extData":{"_package_udi":"{\"a\":\"b\"}"})")));
    CHECK(offer.request_id == "123");
    CHECK(offer.module == "MCU");
    CHECK(offer.digest_kind == DigestKind::md5);
}

TEST_CASE("the mixed form: text code, 13-digit id, SHA-256 and digestsign", "[cloud][aliyun][push]") {
    const Offer offer =
        offer_of(wrap(core(R"("signMethod":"SHA256","sign":")" + kSha256 + R"(","digestsign":"QzolahGS==")"),
                      R"("code":"1000","id":1626969597470,"message":"success")"));
    CHECK(offer.request_id == "1626969597470");
    CHECK(offer.digest_kind == DigestKind::sha256);
    CHECK(offer.digest_hex == kSha256);
    CHECK(offer.digest_sign_base64 == "QzolahGS==");
}

TEST_CASE("details are read tolerantly", "[cloud][aliyun][push]") {
    CHECK(offer_of(wrap(core(R"("isDiff":1,)" + kMd5New))).is_diff);
    CHECK(
        offer_of(wrap(core(R"("signMethod":"Md5","sign":"1BEA9B074CB2E2758D285DF71CE2E59A")"))).digest_hex ==
        kMd5);
    CHECK(offer_of(wrap(core(R"("signMethod":"sha256","sign":")" + kSha256 + "\""))).digest_kind ==
          DigestKind::sha256);
    CHECK(offer_of(wrap(core(R"("sign":")" + kSha256 + "\""))).digest_kind == DigestKind::sha256);
    CHECK(offer_of(wrap(core(R"("sign":")" + kMd5 + "\""))).digest_kind == DigestKind::md5);
    CHECK(offer_of(wrap(core(R"("signMethod":null,"md5":")" + kMd5 + "\""))).digest_kind == DigestKind::md5);
    CHECK(offer_of(wrap(core(kMd5New + R"(,"module":"default")"))).module.empty());
    CHECK(offer_of(wrap(R"("size":"1088","version":"2","url":"https://h/p",)" + kMd5New)).size_bytes == 1088);
    CHECK(offer_of(wrap(R"("size":1088.0,"version":"2","url":"https://h/p",)" + kMd5New)).size_bytes == 1088);
    CHECK(offer_of(wrap(core(kMd5New), R"("id":"1","message":"success")")).version == "2.0.0");
    CHECK(offer_of(wrap(core(kMd5New)) + std::string(1, '\0')).version == "2.0.0");
    CHECK(offer_of(wrap(core(kMd5New)) + "\n").version == "2.0.0");
    // An http address is understood here and refused by the downloader, in its own words.
    CHECK(offer_of(wrap(R"("size":5,"version":"2","url":"http://h/p",)" + kMd5New)).url == "http://h/p");
}

TEST_CASE("an answer without data means no update", "[cloud][aliyun][push]") {
    const char* payload = GENERATE(R"({"id":"5","code":200,"data":{}})", R"({"id":"5","code":200})",
                                   R"({"id":5,"code":"1000","data":null})");
    const auto parsed = parse_push(payload, {});
    REQUIRE(std::holds_alternative<Push>(parsed));
    CHECK_FALSE(std::get<Push>(parsed).offer);
    CHECK(std::get<Push>(parsed).id == "5");
}

TEST_CASE("forms not served are refused by name", "[cloud][aliyun][push]") {
    const PushError stream =
        error_of(wrap(R"("size":1088,"version":"2.0.0",)" + kMd5New +
                      R"(,"dProtocol":"mqtt","streamId":1397345,"streamFileId":1,"module":"MCU")"));
    CHECK(stream.error.code == ErrorCode::offer_unsupported);
    CHECK(stream.error.what.find("MQTT") != std::string::npos);
    CHECK(stream.module == "MCU");

    const PushError files = error_of(wrap(
        R"("version":"3.0.0","signMethod":"SHA256","module":"bundle","files":[{"fileName":"a","fileSize":1,"fileUrl":"https://h"}])"));
    CHECK(files.error.code == ErrorCode::offer_unsupported);
    CHECK(files.error.what.find("several files") != std::string::npos);
    CHECK(files.module == "bundle");

    CHECK(error_of(wrap(core(R"("signMethod":"SM3","sign":"00")"))).error.code ==
          ErrorCode::offer_unsupported);
}

TEST_CASE("a push that lacks or contradicts something is malformed and says what", "[cloud][aliyun][push]") {
    struct Row {
        const char* name;
        std::string payload;
        const char* says;
    };
    const std::string url = R"("url":"https://h/p",)";
    const Row row = GENERATE_COPY(
        Row{"no version", wrap(R"("size":1,)" + url + kMd5New), "version"},
        Row{"empty version", wrap(R"("version":"","size":1,)" + url + kMd5New), "version"},
        Row{"version of another type", wrap(R"("version":2,"size":1,)" + url + kMd5New), "version"},
        Row{"version too long",
            wrap("\"version\":\"" + std::string(65, '1') + R"(","size":1,)" + url + kMd5New), "version"},
        Row{"version with control characters", wrap(R"("version":"1\n2","size":1,)" + url + kMd5New),
            "version"},
        Row{"no size", wrap(R"("version":"2",)" + url + kMd5New), "size"},
        Row{"size 0", wrap(R"("version":"2","size":0,)" + url + kMd5New), "0 bytes"},
        Row{"negative size", wrap(R"("version":"2","size":-1,)" + url + kMd5New), "size"},
        Row{"broken size", wrap(R"("version":"2","size":10.5,)" + url + kMd5New), "size"},
        Row{"infinite size", wrap(R"("version":"2","size":1e999,)" + url + kMd5New), "size"},
        Row{"size as a word", wrap(R"("version":"2","size":"big",)" + url + kMd5New), "size"},
        Row{"size beyond 64 bits", wrap(R"("version":"2","size":99999999999999999999,)" + url + kMd5New),
            "size"},
        Row{"size over the cap", wrap(R"("version":"2","size":18446744073709551615,)" + url + kMd5New),
            "more than"},
        Row{"no url", wrap(R"("version":"2","size":1,)" + kMd5New), "url"},
        Row{"url of another type", wrap(R"("version":"2","size":1,"url":{},)" + kMd5New), "url"},
        Row{"url with a line break", wrap(R"("version":"2","size":1,"url":"https://h/\r\nx",)" + kMd5New),
            "url"},
        Row{"url too long",
            wrap(R"("version":"2","size":1,"url":"https://h/)" + std::string(9000, 'a') + "\"," + kMd5New),
            "url"},
        Row{"no digest", wrap(R"("version":"2","size":1,"url":"https://h/p")"), "digest"},
        Row{"method without sign", wrap(core(R"("signMethod":"MD5","md5":")" + kMd5 + "\"")), "sign"},
        Row{"digest too short", wrap(core(R"("md5":"1bea")")), "32 hex digits"},
        Row{"MD5 where SHA-256 was named", wrap(core(R"("signMethod":"SHA256","sign":")" + kMd5 + "\"")),
            "64 hex digits"},
        Row{"digest not hex", wrap(core(R"("md5":"zzea9b074cb2e2758d285df71ce2e59a")")), "hex"},
        Row{"module of another type", wrap(core(kMd5New + R"(,"module":[])")), "module"},
        Row{"data of another type", R"({"id":"1","code":200,"data":[1]})", "data"});
    INFO(row.name);
    const PushError refused = error_of(row.payload);
    CHECK(refused.error.code == ErrorCode::offer_malformed);
    INFO(refused.error.what);
    CHECK(refused.error.what.find(row.says) != std::string::npos);
    CHECK_FALSE(refused.error.next.empty());
}

TEST_CASE("what is not a message of the platform is refused, never a crash", "[cloud][aliyun][push]") {
    const std::string payload =
        GENERATE(std::string{}, std::string("{"), std::string("[]"), std::string("\"text\""),
                 std::string("\xFF\xFE"), std::string(R"({"id":"1","code":400,"message":"bad","data":{}})"),
                 std::string(R"({"data":{}})"), std::string(100, '['), std::string(600'000, ' '),
                 std::string(R"({"code":200}{"code":200})"), std::string(4, '\0'));
    CHECK(error_of(payload).error.code == ErrorCode::cloud_message_malformed);
}

TEST_CASE("an unsigned push is refused where signatures are required", "[cloud][aliyun][push]") {
    CHECK(error_of(wrap(core(kMd5New)), {1U << 20, true}).error.code == ErrorCode::signature_invalid);
    CHECK(offer_of(wrap(core(kMd5New + R"(,"digestsign":"AAAA")")), {1U << 20, true}).digest_sign_base64 ==
          "AAAA");
}

TEST_CASE("every truncation of a push is refused or harmless", "[cloud][aliyun][push]") {
    const std::string whole = wrap(core(kMd5New + R"(,"module":"MCU")"));
    for (std::size_t size = 0; size < whole.size(); ++size) {
        INFO(size);
        CHECK(std::holds_alternative<PushError>(parse_push(whole.substr(0, size), {})));
    }
}

TEST_CASE("pushes are the same job by version, size and digest only", "[cloud][offer]") {
    const Offer first = offer_of(wrap(core(kMd5New)));
    Offer second = first;
    second.url = "https://elsewhere/?Signature=fresh";
    second.request_id = "999";
    CHECK(first.same_content(second));
    second.version = "2.0.1";
    CHECK_FALSE(first.same_content(second));
    second = first;
    second.size_bytes += 1;
    CHECK_FALSE(first.same_content(second));
    second = first;
    second.digest_hex[0] = 'f';
    CHECK_FALSE(first.same_content(second));
}
