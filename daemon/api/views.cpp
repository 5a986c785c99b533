// JSON form of the views, and the times in it. The one place that knows the released keys.
#include "daemon/api/views.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <charconv>
#include <chrono>
#include <cstdio>

namespace mcuota::api {
namespace {

namespace json = boost::json;

json::value text_or_null(const std::string& text) {
    return text.empty() ? json::value(nullptr) : json::value(text);
}

json::value time_or_null(const std::optional<TimeMs>& at_ms) {
    return at_ms ? json::value(rfc3339(*at_ms)) : json::value(nullptr);
}

template <class T>
json::value or_null(const std::optional<T>& value) {
    return value ? json::value(*value) : json::value(nullptr);
}

json::value error_or_null(const std::optional<Error>& error) {
    return error ? json::value(to_json(*error)) : json::value(nullptr);
}

json::value image_or_null(const std::optional<ImageView>& image) {
    if (!image) return nullptr;
    return json::object{{"version", text_or_null(image->version)},
                        {"state", image->state},
                        {"sha256", text_or_null(image->sha256)},
                        {"bytes", image->bytes},
                        {"security_counter", or_null(image->security_counter)}};
}

template <class T>
json::array array_of(const std::vector<T>& items) {
    json::array out;
    out.reserve(items.size());
    for (const T& item : items)
        out.push_back(to_json(item));
    return out;
}

/// Reads exactly `digits` digits at `at`; -1 when they are not there.
int digits_at(std::string_view text, std::size_t at, std::size_t digits) {
    if (at + digits > text.size()) return -1;
    int value = 0;
    for (const char c : text.substr(at, digits)) {
        if (c < '0' || c > '9') return -1;
        value = value * 10 + (c - '0');
    }
    return value;
}

Error time_error(std::string_view text) {
    return Error{
        ErrorCode::usage, "\"" + std::string(text) + "\" is not a time",
        "write an RFC 3339 time (2026-11-21T10:00:00Z), a date (2026-11-21) or an age (90s, 15m, 2h, 3d)", 0};
}

/// "90s", "15m", "2h", "3d" as milliseconds.
std::optional<TimeMs> parse_age(std::string_view text) {
    if (text.size() < 2) return std::nullopt;
    std::int64_t count = 0;
    const char* end = text.data() + text.size() - 1;
    const auto [stop, problem] = std::from_chars(text.data(), end, count);
    if (problem != std::errc{} || stop != end || count < 0 || count > 1'000'000'000) return std::nullopt;
    switch (text.back()) {
        case 's':
            return count * 1'000;
        case 'm':
            return count * 60'000;
        case 'h':
            return count * 3'600'000;
        case 'd':
            return count * 86'400'000;
        default:
            return std::nullopt;
    }
}

/// Offset from UTC in ms at the end of an RFC 3339 time: "Z" or "+01:00".
std::optional<TimeMs> parse_offset(std::string_view text) {
    if (text == "Z" || text == "z") return 0;
    if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') return std::nullopt;
    const int hours = digits_at(text, 1, 2);
    const int minutes = digits_at(text, 4, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return std::nullopt;
    const TimeMs offset = (hours * 60 + minutes) * 60'000LL;
    return text[0] == '-' ? -offset : offset;
}

}  // namespace

bool is_job_state(std::string_view name) noexcept {
    return std::find(kJobStates.begin(), kJobStates.end(), name) != kJobStates.end();
}

bool is_finished(std::string_view state) noexcept {
    return state == "succeeded" || state == "failed" || state == "cancelled";
}

std::string rfc3339(TimeMs at_ms) {
    using namespace std::chrono;
    const sys_time<milliseconds> at{milliseconds{at_ms}};
    const auto day = floor<days>(at);
    const year_month_day date{day};
    const hh_mm_ss time{at - day};
    char out[64];
    std::snprintf(out, sizeof out, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                  static_cast<int>(time.seconds().count()), static_cast<int>(time.subseconds().count()));
    return out;
}

Result<TimeMs> parse_time(std::string_view text, TimeMs now_ms) {
    using namespace std::chrono;
    if (const auto age_ms = parse_age(text)) return now_ms - *age_ms;
    const int y = digits_at(text, 0, 4);
    const int m = digits_at(text, 5, 2);
    const int d = digits_at(text, 8, 2);
    if (y < 0 || m < 0 || d < 0 || text[4] != '-' || text[7] != '-') return time_error(text);
    const year_month_day date{year{y}, month{static_cast<unsigned>(m)}, day{static_cast<unsigned>(d)}};
    if (!date.ok()) return time_error(text);
    TimeMs at_ms = duration_cast<milliseconds>(sys_days{date}.time_since_epoch()).count();
    if (text.size() == 10) return at_ms;

    const int hours = digits_at(text, 11, 2);
    const int minutes = digits_at(text, 14, 2);
    const int seconds = digits_at(text, 17, 2);
    if ((text[10] != 'T' && text[10] != 't' && text[10] != ' ') || hours < 0 || hours > 23 || minutes < 0 ||
        minutes > 59 || seconds < 0 || seconds > 60 || text[13] != ':' || text[16] != ':')
        return time_error(text);
    at_ms += ((hours * 60 + minutes) * 60 + seconds) * 1'000LL;
    std::size_t at = 19;
    if (at < text.size() && text[at] == '.') {
        int scale_ms = 100;
        for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, scale_ms /= 10)
            at_ms += (text[at] - '0') * scale_ms;
        if (text[at - 1] == '.') return time_error(text);
    }
    const auto offset_ms = parse_offset(text.substr(at));
    if (!offset_ms) return time_error(text);
    return at_ms - *offset_ms;
}

json::object to_json(const Error& error) {
    return {{"code", to_string(error.code)},
            {"class", to_string(error.cls())},
            {"message", error.what.empty() ? std::string(summary(error.code)) : error.what},
            {"next", error.next}};
}

json::object to_json(const JobView& job) {
    return {{"id", job.id},
            {"device", job.device},
            {"hardware", text_or_null(job.hardware)},
            {"source",
             {{"kind", job.source.kind},
              {"provider", text_or_null(job.source.provider)},
              {"request_id", text_or_null(job.source.request_id)}}},
            {"state", job.state},
            {"from_version", text_or_null(job.from_version)},
            {"to_version", text_or_null(job.to_version)},
            {"payload",
             {{"kind", text_or_null(job.payload_kind)},
              {"bytes", job.payload_bytes == 0 ? json::value(nullptr) : json::value(job.payload_bytes)}}},
            {"progress",
             {{"step", job.progress.step},
              {"percent", job.progress.percent},
              {"bytes", job.progress.bytes},
              {"bytes_total", job.progress.bytes_total},
              {"bytes_per_second", job.progress.bytes_per_second}}},
            {"attempts", job.attempts},
            {"error", error_or_null(job.error)},
            {"created_at", rfc3339(job.created_at_ms)},
            {"updated_at", rfc3339(job.updated_at_ms)},
            {"finished_at", time_or_null(job.finished_at_ms)}};
}

json::object to_json_with_transitions(const JobView& job) {
    json::object out = to_json(job);
    json::array transitions;
    for (const TransitionView& step : job.transitions)
        transitions.push_back(json::object{{"at", rfc3339(step.at_ms)},
                                           {"from", text_or_null(step.from)},
                                           {"to", step.to},
                                           {"reason", step.reason}});
    out["transitions"] = std::move(transitions);
    return out;
}

json::object to_json(const DeviceView& device) {
    return {{"name", device.name},
            {"hardware", device.hardware},
            {"link", device.link},
            {"cloud", text_or_null(device.cloud)},
            {"module", text_or_null(device.module)},
            {"reachable", or_null(device.reachable)},
            {"seen_at", time_or_null(device.seen_at_ms)},
            {"role", text_or_null(device.role)},
            {"unique_id", text_or_null(device.unique_id)},
            {"loader_version", text_or_null(device.loader_version)},
            {"agent_version", text_or_null(device.agent_version)},
            {"running", image_or_null(device.running)},
            {"backup", image_or_null(device.backup)},
            {"security_counter_floor", or_null(device.security_counter_floor)},
            {"stay_reason", text_or_null(device.stay_reason)},
            {"error", error_or_null(device.error)},
            {"active_job", or_null(device.active_job)}};
}

json::object to_json(const CloudView& cloud) {
    return {{"name", cloud.name},
            {"provider", cloud.provider},
            {"host", cloud.host},
            {"up", cloud.up},
            {"why", text_or_null(cloud.why)},
            {"since", time_or_null(cloud.since_ms)},
            {"reports_pending", cloud.reports_pending}};
}

json::object to_json(const StatusView& status) {
    return {{"daemon",
             {{"running", status.daemon.running},
              {"version", text_or_null(status.daemon.version)},
              {"started_at", time_or_null(status.daemon.started_at_ms)},
              {"state_dir", text_or_null(status.daemon.state_dir)}}},
            {"clouds", array_of(status.clouds)},
            {"devices", array_of(status.devices)},
            {"jobs", array_of(status.jobs)},
            {"failures", array_of(status.failures)}};
}

json::object to_json(const PackageView& package) {
    json::array entries;
    for (const PackageEntryView& entry : package.entries) {
        json::array kinds;
        for (const std::string& kind : entry.payload_kinds)
            kinds.emplace_back(kind);
        entries.push_back(json::object{{"hardware", entry.hardware},
                                       {"version", entry.version},
                                       {"security_counter", entry.security_counter},
                                       {"image_bytes", entry.image_bytes},
                                       {"image_sha256", entry.image_sha256},
                                       {"key_id", entry.key_id},
                                       {"payload_kinds", std::move(kinds)}});
    }
    return {{"sha256", package.sha256}, {"bytes", package.bytes}, {"entries", std::move(entries)}};
}

json::object to_json(const InstallView& install) {
    return {{"device", install.device},
            {"job", or_null(install.job)},
            {"up_to_date", install.up_to_date},
            {"from_version", text_or_null(install.from_version)},
            {"to_version", text_or_null(install.to_version)},
            {"payload",
             {{"kind", text_or_null(install.payload_kind)},
              {"bytes",
               install.payload_bytes == 0 ? json::value(nullptr) : json::value(install.payload_bytes)}}}};
}

}  // namespace mcuota::api
