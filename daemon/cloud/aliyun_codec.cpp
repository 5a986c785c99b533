// Aliyun uplinks, topics and credentials; replies to our requests. Pushes are read in aliyun_push.cpp.
#include "daemon/cloud/aliyun_codec.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "daemon/cloud/json_read.hpp"
#include "daemon/cloud/redact.hpp"

namespace mcuota::cloud::aliyun {
namespace json = boost::json;
namespace {

struct MethodName {
    SignMethod method;
    std::string_view connect;  ///< in the client id
    std::string_view session;  ///< in topo/add and login
};
constexpr MethodName kMethods[] = {
    {SignMethod::hmac_sha256, "hmacsha256", "hmacSha256"},
    {SignMethod::hmac_sha1, "hmacsha1", "hmacSha1"},
    {SignMethod::hmac_md5, "hmacmd5", "hmacMd5"},
};
const MethodName& method_name(SignMethod method) {
    return kMethods[static_cast<std::size_t>(method)];
}

json::string_view view(std::string_view text) {
    return {text.data(), text.size()};
}
std::string plain_client_id(const Identity& who) {
    return who.product_key + "." + who.device_name;
}
/// Parameter names and values without separators, names in alphabetical order.
std::string sign_source(const Identity& who, std::string_view timestamp) {
    std::string text =
        "clientId" + plain_client_id(who) + "deviceName" + who.device_name + "productKey" + who.product_key;
    if (!timestamp.empty()) text.append("timestamp").append(timestamp);
    return text;
}
/// The fields a sub-device proves itself with, in login, batch login and topo/add alike.
json::object proof(const SubDevice& sub, SignMethod method, std::uint64_t timestamp_ms) {
    const std::string timestamp = std::to_string(timestamp_ms);
    return {{"productKey", sub.who.product_key},
            {"deviceName", sub.who.device_name},
            {"clientId", plain_client_id(sub.who)},
            {"timestamp", timestamp},
            {"sign", hmac_hex(method, sub.secret, sign_source(sub.who, timestamp))}};
}
std::string request(std::uint32_t id, json::value params, std::string_view method = {}) {
    json::object out{{"id", std::to_string(id)}, {"version", "1.0"}, {"params", std::move(params)}};
    if (!method.empty()) out.emplace("method", view(method));
    return json::serialize(out);
}
/// First `bytes_max` bytes of `text`, never ending inside a UTF-8 character.
std::string_view cut(std::string_view text, std::size_t bytes_max) {
    if (text.size() <= bytes_max) return text;
    std::size_t end = bytes_max;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U)
        --end;
    return text.substr(0, end);
}
/// FNV-1a: an id any run derives again from the same content.
std::uint32_t content_id(std::string_view topic, std::string_view detail) {
    std::uint32_t hash = 2166136261U;
    for (const std::string_view part : {topic, detail})
        for (const char c : part)
            hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
    return hash;
}

}  // namespace

std::string hmac_hex(SignMethod method, std::string_view key, std::string_view text) {
    const EVP_MD* digest = method == SignMethod::hmac_sha256 ? EVP_sha256()
                           : method == SignMethod::hmac_sha1 ? EVP_sha1()
                                                             : EVP_md5();
    std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
    unsigned int size = 0;
    if (HMAC(digest, key.data(), static_cast<int>(key.size()),
             reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac.data(), &size) == nullptr)
        return {};
    constexpr char kDigits[] = "0123456789ABCDEF";
    std::string hex;
    for (unsigned int i = 0; i < size; ++i) {
        hex += kDigits[mac[i] >> 4U];
        hex += kDigits[mac[i] & 15U];
    }
    return hex;
}

Credentials connect_credentials(const CloudConfig& config) {
    const Identity who{config.product_key, config.device_name};
    const std::string timestamp =
        config.timestamp_ms == 0 ? std::string{} : std::to_string(config.timestamp_ms);
    std::string list;
    if (!timestamp.empty()) list = "timestamp=" + timestamp + ",";
    list.append("securemode=2,signmethod=").append(method_name(config.sign_method).connect);
    return {plain_client_id(who) + "|" + list + "|", who.device_name + "&" + who.product_key,
            hmac_hex(config.sign_method, config.device_secret, sign_source(who, timestamp))};
}

std::string ota_topic(std::string_view what, const Identity& who) {
    return "/ota/device/" + std::string(what) + "/" + who.product_key + "/" + who.device_name;
}
std::string sys_topic(const Identity& who, std::string_view what) {
    return "/sys/" + who.product_key + "/" + who.device_name + "/thing/" + std::string(what);
}
std::string session_topic(const Identity& gateway, std::string_view what) {
    return "/ext/session/" + gateway.product_key + "/" + gateway.device_name + "/combine/" +
           std::string(what);
}
std::string error_topic(const Identity& gateway) {
    return "/ext/error/" + gateway.product_key + "/" + gateway.device_name;
}

std::optional<ParsedTopic> parse_topic(std::string_view topic) {
    struct Form {
        std::string_view before, after;  // {before}{pk}/{dn}{after}
        Downlink kind;
    };
    static constexpr Form kForms[] = {
        {"/ota/device/upgrade/", "", Downlink::upgrade},
        {"/ota/device/request/", "", Downlink::request},
        {"/sys/", "/thing/ota/firmware/get_reply", Downlink::firmware_get_reply},
        {"/ext/session/", "/combine/login_reply", Downlink::login_reply},
        {"/ext/session/", "/combine/batch_login_reply", Downlink::batch_login_reply},
        {"/ext/session/", "/combine/logout_reply", Downlink::logout_reply},
        {"/sys/", "/thing/topo/add_reply", Downlink::topo_add_reply},
        {"/sys/", "/thing/topo/change", Downlink::topo_change},
        {"/sys/", "/thing/disable", Downlink::disable},
        {"/sys/", "/thing/enable", Downlink::enable},
        {"/sys/", "/thing/delete", Downlink::remove},
        {"/ext/error/", "", Downlink::session_error},
    };
    for (const Form& form : kForms) {
        if (topic.size() <= form.before.size() + form.after.size() || !topic.starts_with(form.before) ||
            !topic.ends_with(form.after))
            continue;
        const std::string_view names =
            topic.substr(form.before.size(), topic.size() - form.before.size() - form.after.size());
        const std::size_t slash = names.find('/');
        if (slash == std::string_view::npos || slash == 0 || slash + 1 == names.size() ||
            names.find('/', slash + 1) != std::string_view::npos)
            continue;
        return ParsedTopic{form.kind,
                           {std::string(names.substr(0, slash)), std::string(names.substr(slash + 1))}};
    }
    return std::nullopt;
}

std::string login_payload(std::uint32_t id, const SubDevice& sub, SignMethod method,
                          std::uint64_t timestamp_ms) {
    json::object params = proof(sub, method, timestamp_ms);
    params.emplace("signMethod", view(method_name(method).session));
    params.emplace("cleanSession", "true");
    return json::serialize(json::object{{"id", std::to_string(id)}, {"params", std::move(params)}});
}

std::string batch_login_payload(std::uint32_t id, std::span<const SubDevice> subs, SignMethod method,
                                std::uint64_t timestamp_ms) {
    json::array list;
    for (const SubDevice& sub : subs) {
        json::object entry = proof(sub, method, timestamp_ms);
        entry.emplace("cleanSession", "true");
        list.push_back(std::move(entry));
    }
    return request(
        id, json::object{{"signMethod", view(method_name(method).session)}, {"deviceList", std::move(list)}});
}

std::string logout_payload(std::uint32_t id, const Identity& sub) {
    return json::serialize(json::object{
        {"id", std::to_string(id)},
        {"params", json::object{{"productKey", sub.product_key}, {"deviceName", sub.device_name}}}});
}

std::string topo_add_payload(std::uint32_t id, std::span<const SubDevice> subs, SignMethod method,
                             std::uint64_t timestamp_ms) {
    json::array list;
    for (const SubDevice& sub : subs) {
        json::object entry = proof(sub, method, timestamp_ms);
        entry.emplace("signmethod", view(method_name(method).session));  // spelt unlike the login's
        list.push_back(std::move(entry));
    }
    return request(id, std::move(list), "thing.topo.add");
}

std::string firmware_get_payload(std::uint32_t id, std::string_view module) {
    json::object params;
    if (!module.empty()) params.emplace("module", view(module));
    return request(id, std::move(params), "thing.ota.firmware.get");
}

std::string inform_payload(std::uint32_t id, std::string_view version, std::string_view module) {
    json::object params{{"version", view(version)}};
    if (!module.empty()) params.emplace("module", view(module));
    return json::serialize(json::object{{"id", std::to_string(id)}, {"params", std::move(params)}});
}

std::string progress_payload(std::uint32_t id, int step, std::string_view desc, std::string_view module) {
    json::object params{{"step", std::to_string(step)}, {"desc", view(cut(desc, 128))}};
    if (!module.empty()) params.emplace("module", view(module));
    return json::serialize(json::object{{"id", std::to_string(id)}, {"params", std::move(params)}});
}

std::string ok_payload(std::string_view id) {
    return json::serialize(json::object{{"id", view(id)}, {"code", 200}, {"data", json::object{}}});
}

int failure_step(ErrorCode code) {
    switch (code) {
        case ErrorCode::url_not_https:
        case ErrorCode::url_malformed:
        case ErrorCode::url_expired:
        case ErrorCode::url_gone:
        case ErrorCode::download_interrupted:
        case ErrorCode::download_tls:
        case ErrorCode::download_server_error:
            return -2;
        case ErrorCode::download_size_mismatch:
        case ErrorCode::download_digest_mismatch:
        case ErrorCode::package_malformed:
        case ErrorCode::package_truncated:
        case ErrorCode::package_oversized:
        case ErrorCode::signature_invalid:
        case ErrorCode::key_unknown:
        case ErrorCode::wrong_hardware:
        case ErrorCode::security_counter_too_old:
        case ErrorCode::payload_mismatch:
        case ErrorCode::version_mismatch:
            return -3;
        case ErrorCode::disk_full:
        case ErrorCode::image_too_large:
        case ErrorCode::memory_budget_exceeded:
        case ErrorCode::link_open_failed:
        case ErrorCode::link_lost:
        case ErrorCode::device_silent:
        case ErrorCode::device_garbled:
        case ErrorCode::device_storage_failed:
            return -4;
        default:
            return -1;
    }
}

std::vector<OutMessage> encode_report(const Identity& who, std::string_view module, const Report& report) {
    const std::string owner = who.product_key + "/" + who.device_name + "/" + std::string(module);
    if (report.kind == Report::Kind::version) {
        const std::string topic = ota_topic("inform", who);
        const std::uint32_t id = content_id(topic, report.version);
        // Only the newest version is worth telling: an older one, sent late, would undo it.
        return {{topic, inform_payload(id, report.version, module), 1, "version " + owner}};
    }
    const std::string topic = ota_topic("progress", who);
    if (report.kind == Report::Kind::failure) {
        const Error error = report.error.value_or(Error{ErrorCode::internal, "no reason was given", {}});
        const std::string words =
            redact_urls(error.what.empty() ? std::string(summary(error.code)) : error.what);
        const std::string desc = std::string(to_string(error.code)) + ": " + words;
        const int step = failure_step(error.code);
        return {
            {topic, progress_payload(content_id(topic, desc + report.version), step, desc, module), 1, {}}};
    }
    const int percent = report.percent < 1 ? 1 : report.percent > 100 ? 100 : report.percent;
    const std::string_view desc =
        report.step.empty() ? std::string_view("update") : std::string_view(report.step);
    const std::uint32_t id = content_id(topic, report.version + " " + std::to_string(percent));
    return {{topic, progress_payload(id, percent, desc, module), 0, "progress " + owner}};
}

Result<Reply> parse_reply(std::string_view payload) {
    Result<json::object> parsed = parse_object(payload);
    if (!parsed) return std::move(parsed).error();
    Reply reply;
    reply.id = id_member(*parsed, "id").value_or("");
    const std::optional<std::uint64_t> code = number_member(*parsed, "code");
    if (!code) return Error{ErrorCode::cloud_message_malformed, "a reply without a code"};
    reply.code = *code;
    reply.message = text_member(*parsed, "message").value_or("");
    const auto add = [&reply](const json::value& entry) {
        const json::object* object = entry.if_object();
        if (!object) return;
        std::optional<std::string> product = text_member(*object, "productKey");
        std::optional<std::string> device = text_member(*object, "deviceName");
        if (product && device) reply.devices.push_back({std::move(*product), std::move(*device)});
    };
    if (const json::value* data = member(*parsed, "data")) {
        add(*data);
        if (const json::array* list = data->if_array())
            for (const json::value& entry : *list)
                add(entry);
    }
    return reply;
}

bool is_own_request(std::string_view payload) {
    const Result<json::object> parsed = parse_object(payload);
    return parsed && member(*parsed, "params") && !member(*parsed, "data") && !member(*parsed, "code");
}

}  // namespace mcuota::cloud::aliyun
