// Tolerant reading of a cloud's JSON over Boost.JSON.
#include "daemon/cloud/json_read.hpp"

#include <boost/json/parse.hpp>
#include <charconv>
#include <new>

namespace mcuota::cloud {
namespace json = boost::json;

Result<json::object> parse_object(std::string_view payload) {
    if (payload.size() > kMessageBytesMax)
        return Error{ErrorCode::cloud_message_malformed,
                     "a message of " + std::to_string(payload.size()) + " bytes, more than any cloud sends"};
    // One device-side implementation sends the terminating NUL of its buffer, so others may too.
    while (!payload.empty() && payload.back() == '\0')
        payload.remove_suffix(1);
    boost::system::error_code failed;
    json::value value;
    try {
        value = json::parse(payload, failed);
    } catch (const std::bad_alloc&) {
        return Error{ErrorCode::cloud_message_malformed, "a message too large for the memory left"};
    }
    if (failed)
        return Error{ErrorCode::cloud_message_malformed, "the message is not JSON: " + failed.message()};
    if (!value.is_object())
        return Error{ErrorCode::cloud_message_malformed, "the message is not a JSON object"};
    return std::move(value.get_object());
}

const json::value* member(const json::object& object, std::string_view key) {
    return object.if_contains(json::string_view(key.data(), key.size()));
}

const json::object* object_member(const json::object& object, std::string_view key) {
    const json::value* found = member(object, key);
    return found ? found->if_object() : nullptr;
}

std::optional<std::string> text_member(const json::object& object, std::string_view key) {
    const json::value* found = member(object, key);
    if (!found || !found->is_string()) return std::nullopt;
    const json::string& text = found->get_string();
    return std::string(text.data(), text.size());
}

std::optional<std::uint64_t> number_member(const json::object& object, std::string_view key) {
    const json::value* found = member(object, key);
    if (!found) return std::nullopt;
    if (const std::uint64_t* whole = found->if_uint64()) return *whole;
    if (const std::int64_t* whole = found->if_int64())
        return *whole < 0 ? std::nullopt : std::optional(static_cast<std::uint64_t>(*whole));
    if (const double* real = found->if_double()) {
        // Beyond 2^53 a double no longer says which whole number was meant.
        if (!(*real >= 0.0 && *real <= 9007199254740992.0)) return std::nullopt;
        const auto whole = static_cast<std::uint64_t>(*real);
        return static_cast<double>(whole) < *real ? std::nullopt : std::optional(whole);
    }
    if (const json::string* text = found->if_string()) {
        std::uint64_t whole = 0;
        const char* end = text->data() + text->size();
        const auto [stop, failed] = std::from_chars(text->data(), end, whole);
        if (failed == std::errc{} && stop == end && !text->empty()) return whole;
    }
    return std::nullopt;
}

std::optional<std::string> id_member(const json::object& object, std::string_view key) {
    if (std::optional<std::string> text = text_member(object, key)) return text;
    if (const std::optional<std::uint64_t> number = number_member(object, key))
        return std::to_string(*number);
    return std::nullopt;
}

}  // namespace mcuota::cloud
