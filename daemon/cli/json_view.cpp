// Tolerant access to JSON answers.
#include "daemon/cli/json_view.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "daemon/api/views.hpp"

namespace mcuota::cli {

namespace json = boost::json;

const json::value& at(const json::value& value, std::initializer_list<std::string_view> path) {
    static const json::value kNull;
    const json::value* here = &value;
    for (const std::string_view key : path) {
        const json::object* object = here->if_object();
        here = object != nullptr ? object->if_contains(key) : nullptr;
        if (here == nullptr) return kNull;
    }
    return *here;
}

std::string text(const json::value& value, std::initializer_list<std::string_view> path) {
    const json::value& found = at(value, path);
    if (found.is_int64() || found.is_uint64()) return std::to_string(number(found, {}));
    if (!found.is_string()) return "";
    std::string out(found.get_string());
    // C0 controls and DEL; C1 controls come as two UTF-8 bytes, C2 80…9F.
    for (std::size_t i = 0; i < out.size(); ++i) {
        const auto byte = static_cast<unsigned char>(out[i]);
        if (byte < 0x20 || byte == 0x7F) out[i] = '?';
        if (byte == 0xC2 && i + 1 < out.size() && static_cast<unsigned char>(out[i + 1]) < 0xA0)
            out.replace(i, 2, "??");
    }
    return out;
}

std::int64_t number(const json::value& value, std::initializer_list<std::string_view> path) {
    const json::value& found = at(value, path);
    if (found.is_int64()) return found.get_int64();
    if (found.is_uint64()) return static_cast<std::int64_t>(found.get_uint64());
    return 0;
}

bool flag(const json::value& value, std::initializer_list<std::string_view> path) {
    const json::value& found = at(value, path);
    return found.is_bool() && found.get_bool();
}

const json::array& list(const json::value& value, std::initializer_list<std::string_view> path) {
    static const json::array kNone;
    const json::array* found = at(value, path).if_array();
    return found != nullptr ? *found : kNone;
}

std::int64_t time_ms(const json::value& value, std::initializer_list<std::string_view> path) {
    const auto at_ms = api::parse_time(text(value, path), 0);
    return at_ms ? *at_ms : 0;
}

}  // namespace mcuota::cli
