// The one table of addresses the socket serves.
#include "daemon/api/routes.hpp"

#include <charconv>
#include <utility>
#include <vector>

namespace mcuota::api {
namespace {

using Segments = std::vector<std::string>;

/// `*` in a pattern stands for one segment: a device name or a job id.
struct Row {
    std::string_view method;
    std::string_view pattern;
    Action action;
};
constexpr Row kRows[] = {
    {"GET", "status", Action::status},
    {"GET", "devices", Action::devices},
    {"GET", "devices/*", Action::device},
    {"POST", "devices/*/refresh", Action::refresh},
    {"POST", "devices/*/rollback", Action::rollback},
    {"GET", "jobs", Action::jobs},
    {"POST", "jobs", Action::install},
    {"GET", "jobs/*", Action::job},
    {"POST", "jobs/*/cancel", Action::cancel},
    {"POST", "jobs/*/retry", Action::retry},
    {"POST", "packages", Action::upload},
    {"GET", "events", Action::events},
};

Refusal bad(std::string what, std::string next = "docs/openapi.yaml lists what the socket understands") {
    return Refusal{400, Error{ErrorCode::usage, std::move(what), std::move(next), 0}, {}};
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> out;
    for (;;) {
        const std::size_t at = text.find(separator);
        out.push_back(text.substr(0, at));
        if (at == std::string_view::npos) return out;
        text.remove_prefix(at + 1);
    }
}

bool matches(std::string_view pattern, const Segments& path) {
    const auto parts = split(pattern, '/');
    if (parts.size() != path.size()) return false;
    for (std::size_t i = 0; i < parts.size(); ++i)
        if (parts[i] != "*" && parts[i] != path[i]) return false;
    return true;
}

template <class Number>
std::optional<Number> number(std::string_view text) {
    Number value{};
    const auto [stop, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (problem != std::errc{} || stop != text.data() + text.size()) return std::nullopt;
    return value;
}

/// One key of the query string. Empty: taken.
std::optional<Refusal> take_query(Route& out, const std::string& key, const std::string& value,
                                  TimeMs now_ms) {
    const bool jobs = out.action == Action::jobs;
    if (jobs && key == "state") {
        for (const std::string_view state : split(value, ',')) {
            if (!is_job_state(state))
                return bad("\"" + std::string(state) + "\" is not a job state",
                           "states: queued downloading verifying waiting sending installing trial succeeded "
                           "reverting failed cancelled");
            out.filter.states.emplace_back(state);
        }
    } else if (jobs && key == "device") {
        out.filter.device = value;
    } else if (jobs && key == "since") {
        auto since_ms = parse_time(value, now_ms);
        if (!since_ms) return Refusal{400, std::move(since_ms).error(), {}};
        out.filter.since_ms = *since_ms;
    } else if (jobs && key == "limit") {
        const auto limit = number<std::uint32_t>(value);
        if (!limit || *limit == 0 || *limit > kJobsLimitMax)
            return bad("limit=" + value + " is not a number from 1 to " + std::to_string(kJobsLimitMax));
        out.filter.limit = *limit;
    } else if (out.action == Action::events && key == "job") {
        for (const std::string_view text : split(value, ',')) {
            const auto id = number<std::int64_t>(text);
            if (!id || *id < 1) return bad("\"" + std::string(text) + "\" is not a job number");
            if (out.only.size() >= kEventJobsMax)
                return bad("job= names more than " + std::to_string(kEventJobsMax) + " jobs");
            out.only.push_back(*id);
        }
    } else {
        return bad("this address knows no query key \"" + key + "\"");
    }
    return std::nullopt;
}

std::optional<Refusal> take_queries(Route& out, std::string_view query, TimeMs now_ms) {
    for (const std::string_view pair : split(query, '&')) {
        if (pair.empty()) continue;
        const std::size_t equals = pair.find('=');
        const auto key = percent_decode(pair.substr(0, equals));
        const auto value =
            percent_decode(equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1));
        if (!key || !value) return bad("the query has a broken % escape");
        if (auto refusal = take_query(out, *key, *value, now_ms)) return refusal;
    }
    return std::nullopt;
}

/// The variable segment of the path: a job number under /jobs, a device name under /devices.
std::optional<Refusal> take_variable(Route& out, const Segments& path) {
    if (path.size() < 2) return std::nullopt;
    if (path[0] == "devices") {
        out.name = path[1];
        return std::nullopt;
    }
    const auto id = number<std::int64_t>(path[1]);
    if (!id || *id < 1)
        return Refusal{404,
                       Error{ErrorCode::not_found, "there is no job \"" + path[1] + "\": jobs have numbers",
                             "list them: mcuota job list", 0},
                       {}};
    out.id = *id;
    return std::nullopt;
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace

bool Route::changes() const noexcept {
    switch (action) {
        case Action::install:
        case Action::cancel:
        case Action::retry:
        case Action::upload:
        case Action::rollback:
        case Action::refresh:
            return true;  // it opens the link of a device
        default:
            return false;
    }
}

std::variant<Route, Refusal> route(std::string_view method, std::string_view target, TimeMs now_ms) {
    const std::size_t question = target.find('?');
    const std::string_view path_text = target.substr(0, question);
    constexpr std::string_view kPrefix = "/v1/";
    Segments path;
    if (path_text.substr(0, kPrefix.size()) == kPrefix)
        for (const std::string_view part : split(path_text.substr(kPrefix.size()), '/')) {
            auto segment = percent_decode(part);
            if (!segment) return bad("the address has a broken % escape");
            path.push_back(std::move(*segment));
        }

    std::string allow;
    for (const Row& row : kRows) {
        if (!matches(row.pattern, path)) continue;
        if (row.method != method) {
            allow += (allow.empty() ? "" : ", ") + std::string(row.method);
            continue;
        }
        Route out;
        out.action = row.action;
        if (auto refusal = take_variable(out, path)) return *refusal;
        if (question != std::string_view::npos)
            if (auto refusal = take_queries(out, target.substr(question + 1), now_ms)) return *refusal;
        return out;
    }
    if (!allow.empty()) {
        Refusal refusal = bad(std::string(method) + " is not possible here", "use " + allow);
        refusal.http_status = 405;
        refusal.allow = allow;
        return refusal;
    }
    Refusal refusal = bad("nothing is served at " + std::string(path_text.substr(0, 200)));
    refusal.http_status = 404;
    refusal.error.code = ErrorCode::not_found;
    return refusal;
}

int http_status(ErrorCode code) noexcept {
    switch (code) {
        case ErrorCode::usage:
        case ErrorCode::config_invalid:
            return 400;
        case ErrorCode::permission_denied:
            return 403;
        case ErrorCode::not_found:
            return 404;
        case ErrorCode::wrong_state:
        case ErrorCode::nothing_to_do:
        case ErrorCode::superseded:
        case ErrorCode::device_busy:
            return 409;
        case ErrorCode::package_oversized:
            return 413;
        case ErrorCode::disk_full:
            return 507;
        case ErrorCode::deadline_passed:
            return 504;
        case ErrorCode::internal:
        case ErrorCode::database_failed:
        case ErrorCode::file_unreadable:
        case ErrorCode::file_unwritable:
            return 500;
        default:
            break;
    }
    if (exit_code(code) == 4)
        return 422;  // refused: the request was understood, its content is not acceptable
    return error_class(code) == ErrorClass::transient ? 503 : 500;
}

std::optional<std::string> percent_decode(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        if (i + 2 >= text.size()) return std::nullopt;
        const int high = hex_digit(text[i + 1]);
        const int low = hex_digit(text[i + 2]);
        if (high < 0 || low < 0 || (high == 0 && low == 0)) return std::nullopt;
        out += static_cast<char>(high * 16 + low);
        i += 2;
    }
    return out;
}

std::string percent_encode(std::string_view text) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                           c == '-' || c == '_' || c == '.' || c == '~';
        if (plain) {
            out += c;
        } else {
            const auto byte = static_cast<unsigned char>(c);
            out += '%';
            out += kHex[byte >> 4];
            out += kHex[byte & 15];
        }
    }
    return out;
}

}  // namespace mcuota::api
