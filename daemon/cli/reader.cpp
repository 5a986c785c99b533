// Daemon first, database second.
#include "daemon/cli/reader.hpp"

#include <boost/json/array.hpp>
#include <utility>

#include "daemon/api/routes.hpp"
#include "daemon/api/status.hpp"
#include "daemon/api/store_views.hpp"
#include "daemon/cli/json_view.hpp"
#include "daemon/config/config.hpp"

namespace mcuota::cli {
namespace {

namespace json = boost::json;

template <class T>
json::value array_of(const std::vector<T>& items) {
    json::array out;
    for (const T& item : items)
        out.push_back(api::to_json(item));
    return out;
}

std::string jobs_path(const api::JobFilter& filter) {
    std::string out = "/v1/jobs?limit=" + std::to_string(filter.limit);
    std::string states;
    for (const std::string& state : filter.states)
        states += (states.empty() ? "" : ",") + state;
    if (!states.empty()) out += "&state=" + states;
    if (!filter.device.empty()) out += "&device=" + api::percent_encode(filter.device);
    if (filter.since_ms) out += "&since=" + api::percent_encode(api::rfc3339(*filter.since_ms));
    return out;
}

/// The list under `key` of an answer, by itself.
Result<json::value> part(Result<json::value> answer, std::string_view key) {
    if (!answer) return answer;
    return json::value(list(*answer, {key}));
}

}  // namespace

Result<Place> find_place(const std::optional<std::filesystem::path>& socket,
                         const std::optional<std::filesystem::path>& config_file) {
    const config::DaemonConfig defaults;
    if (socket && !config_file) return Place{*socket, {}};
    std::error_code problem;
    const std::filesystem::path file = config_file.value_or(config::kDefaultFile);
    if (!std::filesystem::exists(file, problem)) {
        if (config_file)
            return Error{ErrorCode::not_found, "there is no configuration " + file.string(), "check --config",
                         0};
        return Place{defaults.socket, defaults.state_dir};
    }
    // What else is wrong in it matters to the daemon and to `config check`, not here.
    const config::Loaded loaded = config::load(file);
    return Place{socket.value_or(loaded.config.daemon.socket), loaded.config.daemon.state_dir};
}

Result<json::value> Reader::read(const std::string& path, const FromStore& from_store) {
    auto answer = client_.get(path);
    if (answer || answer.error().code != ErrorCode::daemon_unreachable) return answer;
    if (place_.state_dir.empty()) {
        Error error = std::move(answer).error();
        error.next = "start mcuotad, or name its configuration to read its database: --config FILE";
        return error;
    }
    const std::filesystem::path file = place_.state_dir / db::kDatabaseFile;
    auto store = db::Store::open_read_only(file);
    if (!store) {
        Error error = std::move(answer).error();
        error.what += ", and its database cannot be read: " + store.error().what;
        return error;
    }
    offline_ = file;
    return from_store(*store);
}

Result<json::value> Reader::status() {
    return read("/v1/status", [this](db::Store& store) -> Result<json::value> {
        auto devices = api::devices_from_store(store);
        if (!devices) return std::move(devices).error();
        api::DaemonView daemon;
        daemon.running = false;
        daemon.state_dir = place_.state_dir;
        const auto status = api::make_status(
            std::move(daemon), {}, std::move(*devices),
            [&store](const api::JobFilter& filter) { return api::jobs_from_store(store, filter); });
        if (!status) return status.error();
        return json::value(api::to_json(*status));
    });
}

Result<json::value> Reader::devices() {
    auto answer = read("/v1/devices", [](db::Store& store) -> Result<json::value> {
        const auto devices = api::devices_from_store(store);
        if (!devices) return devices.error();
        return json::value(json::object{{"devices", array_of(*devices)}});
    });
    return part(std::move(answer), "devices");
}

Result<json::value> Reader::device(const std::string& name) {
    return read("/v1/devices/" + api::percent_encode(name), [&name](db::Store& store) -> Result<json::value> {
        const auto devices = api::devices_from_store(store);
        if (!devices) return devices.error();
        for (const api::DeviceView& device : *devices)
            if (device.name == name) return json::value(api::to_json(device));
        return Error{ErrorCode::not_found, "there is no device \"" + name + "\"",
                     "list them: mcuota device list", 0};
    });
}

Result<json::value> Reader::jobs(const api::JobFilter& filter) {
    auto answer = read(jobs_path(filter), [&filter](db::Store& store) -> Result<json::value> {
        const auto jobs = api::jobs_from_store(store, filter);
        if (!jobs) return jobs.error();
        return json::value(json::object{{"jobs", array_of(*jobs)}});
    });
    return part(std::move(answer), "jobs");
}

Result<json::value> Reader::job(std::int64_t id) {
    return read("/v1/jobs/" + std::to_string(id), [id](db::Store& store) -> Result<json::value> {
        const auto job = api::job_from_store(store, id);
        if (!job) return job.error();
        return json::value(api::to_json_with_transitions(*job));
    });
}

}  // namespace mcuota::cli
