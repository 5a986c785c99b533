// Reads an Aliyun update push in all its forms (cloud-protocols §1.5, §1.6): the 2018 one with text codes and
// MD5 only, the present one, and mixtures; says clearly which forms are not served.
#include <algorithm>
#include <boost/json/array.hpp>
#include <cctype>

#include "daemon/cloud/aliyun_codec.hpp"
#include "daemon/cloud/json_read.hpp"

namespace mcuota::cloud::aliyun {
namespace json = boost::json;
namespace {

constexpr std::size_t kVersionBytesMax = 64;
constexpr std::size_t kUrlBytesMax = 8192;
constexpr std::size_t kModuleBytesMax = 64;

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}
bool is_hex(const std::string& text) {
    return std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isxdigit(c) != 0; });
}
/// Printable ASCII without blanks: what versions and urls are made of.
bool is_graphic(const std::string& text) {
    return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > 0x20 && c < 0x7F; });
}
Error malformed(std::string what) {
    return {ErrorCode::offer_malformed, "the cloud's offer " + std::move(what),
            "look at the update batch in the cloud's console"};
}

/// Success in the old and the new form.
bool succeeded(const json::object& message) {
    const std::optional<std::uint64_t> code = number_member(message, "code");
    return code == 200U || code == 1000U || text_member(message, "message") == "success";
}

/// `sign` by `signMethod` when the push names a method, else `md5`.
Result<void> read_digest(const json::object& data, Offer& offer) {
    std::optional<std::string> hex;
    const json::value* method_value = member(data, "signMethod");
    if (method_value && !method_value->is_null()) {
        const std::string method = lower(text_member(data, "signMethod").value_or(""));
        if (method == "md5") {
            offer.digest_kind = DigestKind::md5;
        } else if (method == "sha256") {
            offer.digest_kind = DigestKind::sha256;
        } else {
            return Error{ErrorCode::offer_unsupported, "the cloud's offer uses the digest \"" + method + "\"",
                         "choose SHA256 or MD5 when uploading the package"};
        }
        hex = text_member(data, "sign");
        if (!hex) return malformed("names a signMethod but carries no sign");
    } else if (member(data, "md5")) {
        offer.digest_kind = DigestKind::md5;
        hex = text_member(data, "md5");
    } else {
        hex = text_member(data, "sign");
        offer.digest_kind = hex && hex->size() == 64 ? DigestKind::sha256 : DigestKind::md5;
    }
    if (!hex) return malformed("carries no digest");
    const std::size_t digits = offer.digest_kind == DigestKind::md5 ? 32 : 64;
    if (hex->size() != digits || !is_hex(*hex))
        return malformed("carries a digest that is not " + std::to_string(digits) + " hex digits");
    offer.digest_hex = lower(*hex);
    return {};
}

Result<void> read_source(const json::object& data, Offer& offer) {
    if (member(data, "files"))
        return Error{ErrorCode::offer_unsupported, "the cloud's offer consists of several files",
                     "upload one .mcup package: mcuota-pack merge puts several hardware types into one"};
    const bool stream = member(data, "dProtocol") || (member(data, "streamId") && !member(data, "url"));
    if (stream)
        return Error{ErrorCode::offer_unsupported, "the cloud's offer is to be downloaded over MQTT",
                     "choose HTTPS as the download protocol of the batch"};
    const std::optional<std::string> url = text_member(data, "url");
    if (!url || url->empty()) return malformed("carries no url");
    if (url->size() > kUrlBytesMax || !is_graphic(*url)) return malformed("carries a url that is none");
    offer.url = *url;  // byte for byte: the query is signed
    const std::optional<std::uint64_t> size = number_member(data, "size");
    if (!size) return malformed("carries no usable size");
    if (*size == 0) return malformed("announces a file of 0 bytes");
    offer.size_bytes = *size;
    return {};
}

Result<void> read_offer(const json::object& data, const PushRules& rules, Offer& offer) {
    const std::optional<std::string> version = text_member(data, "version");
    if (!version || version->empty()) return malformed("names no version");
    if (version->size() > kVersionBytesMax || !is_graphic(*version))
        return malformed("names a version that is not 1 to 64 printable characters");
    offer.version = *version;
    if (Result<void> source = read_source(data, offer); !source) return source;
    if (offer.size_bytes > rules.size_max)
        return malformed("announces " + std::to_string(offer.size_bytes) + " bytes, more than the " +
                         std::to_string(rules.size_max) + " allowed here");
    if (Result<void> digest = read_digest(data, offer); !digest) return digest;
    offer.digest_sign_base64 = text_member(data, "digestsign").value_or("");
    if (rules.require_signature && offer.digest_sign_base64.empty())
        return Error{ErrorCode::signature_invalid, "the cloud's offer is not signed (no digestsign)",
                     "switch on secure upgrade for the product, or set require_signature = false"};
    offer.is_diff = number_member(data, "isDiff") == 1U;
    return {};
}

}  // namespace

std::variant<Push, PushError> parse_push(std::string_view payload, const PushRules& rules) {
    Result<json::object> parsed = parse_object(payload);
    if (!parsed) return PushError{std::move(parsed).error(), {}};
    if (!succeeded(*parsed))
        return PushError{Error{ErrorCode::cloud_message_malformed,
                               "the cloud answered code " + id_member(*parsed, "code").value_or("(none)") +
                                   " " + text_member(*parsed, "message").value_or("")},
                         {}};
    Push push{id_member(*parsed, "id").value_or(""), std::nullopt};
    const json::value* found = member(*parsed, "data");
    if (!found || found->is_null()) return push;
    const json::object* data = found->if_object();
    if (!data) return PushError{malformed("has data that is not an object"), {}};
    if (data->empty()) return push;

    Offer offer;
    offer.request_id = push.id;
    if (member(*data, "module")) {
        const std::optional<std::string> module = text_member(*data, "module");
        if (!module || module->size() > kModuleBytesMax)
            return PushError{malformed("names a module that is none"), {}};
        if (*module != "default") offer.module = *module;
    }
    if (Result<void> read = read_offer(*data, rules, offer); !read)
        return PushError{std::move(read).error(), offer.module};
    push.offer = std::move(offer);
    return push;
}

}  // namespace mcuota::cloud::aliyun
