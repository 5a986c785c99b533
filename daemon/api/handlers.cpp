// One function an action.
#include "daemon/api/handlers.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <exception>
#include <initializer_list>
#include <utility>

#include "daemon/api/status.hpp"

namespace mcuota::api {
namespace {

namespace json = boost::json;

constexpr std::size_t kDevicesMax = 256;

Reply reply(int http_status, const json::value& body) {
    return Reply{http_status, json::serialize(body) + "\n", {}};
}

template <class T>
json::array array_of(const std::vector<T>& items) {
    json::array out;
    out.reserve(items.size());
    for (const T& item : items)
        out.push_back(to_json(item));
    return out;
}

Error usage(std::string what, std::string next = "docs/openapi.yaml shows the form of the request") {
    return Error{ErrorCode::usage, std::move(what), std::move(next), 0};
}

/// The body as an object with no other keys than `keys`; an empty body is an empty object.
Result<json::object> parse_body(const std::string& body, std::initializer_list<std::string_view> keys) {
    if (body.empty()) return json::object{};
    boost::system::error_code problem;
    json::value value = json::parse(body, problem);
    if (problem) return usage("the body is not JSON: " + problem.message());
    if (!value.is_object()) return usage("the body is not a JSON object");
    for (const auto& member : value.get_object()) {
        bool known = false;
        for (const std::string_view key : keys)
            known = known || key == std::string_view(member.key().data(), member.key().size());
        if (!known) return usage("the body has an unknown key \"" + std::string(member.key()) + "\"");
    }
    return std::move(value.get_object());
}

Result<bool> flag(const json::object& body, std::string_view key) {
    const json::value* value = body.if_contains(key);
    if (value == nullptr) return false;
    if (!value->is_bool()) return usage("\"" + std::string(key) + "\" is not true or false");
    return value->get_bool();
}

bool is_sha256(const json::string& text) {
    return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == json::string::npos;
}

Result<InstallRequest> parse_install(const std::string& text) {
    const auto body = parse_body(text, {"package", "devices", "dry_run"});
    if (!body) return body.error();
    InstallRequest out;
    const json::value* package = body->if_contains("package");
    if (package == nullptr || !package->is_string() || !is_sha256(package->get_string()))
        return usage("\"package\" is not the SHA-256 of an uploaded package",
                     "upload it first: POST /v1/packages answers with its SHA-256");
    out.package_sha256 = package->get_string().c_str();

    const json::value* devices = body->if_contains("devices");
    if (devices == nullptr || !devices->is_array() || devices->get_array().empty() ||
        devices->get_array().size() > kDevicesMax)
        return usage("\"devices\" is not a list of 1 to " + std::to_string(kDevicesMax) + " device names");
    for (const json::value& device : devices->get_array()) {
        if (!device.is_string()) return usage("\"devices\" holds something that is not a name");
        std::string name(device.get_string());
        for (const std::string& known : out.devices)
            if (known == name) return usage("\"devices\" names " + name + " twice");
        out.devices.push_back(std::move(name));
    }
    const auto dry_run = flag(*body, "dry_run");
    if (!dry_run) return dry_run.error();
    out.dry_run = *dry_run;
    return out;
}

Reply job_reply(const Result<JobView>& job) {
    return job ? reply(200, to_json_with_transitions(*job)) : reply_for(job.error());
}

Reply status_reply(Backend& backend) {
    auto devices = backend.devices();
    if (!devices) return reply_for(devices.error());
    const auto status = make_status(backend.daemon(), backend.clouds(), std::move(*devices),
                                    [&backend](const JobFilter& filter) { return backend.jobs(filter); });
    return status ? reply(200, to_json(*status)) : reply_for(status.error());
}

Reply devices_reply(Backend& backend) {
    const auto devices = backend.devices();
    if (!devices) return reply_for(devices.error());
    return reply(200, json::object{{"devices", array_of(*devices)}});
}

Reply device_reply(Backend& backend, const std::string& name) {
    const auto devices = backend.devices();
    if (!devices) return reply_for(devices.error());
    for (const DeviceView& device : *devices)
        if (device.name == name) return reply(200, to_json(device));
    return reply_for(Error{ErrorCode::not_found, "there is no device \"" + name + "\"",
                           "list them: mcuota device list", 0});
}

Reply jobs_reply(Backend& backend, const JobFilter& filter) {
    const auto jobs = backend.jobs(filter);
    if (!jobs) return reply_for(jobs.error());
    return reply(200, json::object{{"jobs", array_of(*jobs)}});
}

boost::asio::awaitable<Reply> install_reply(Backend& backend, std::string body, Caller caller) {
    auto request = parse_install(body);
    if (!request) co_return reply_for(request.error());
    request->caller = std::move(caller);
    const bool dry_run = request->dry_run;
    const auto installs = co_await backend.install(std::move(*request));
    if (!installs) co_return reply_for(installs.error());
    bool made = false;
    for (const InstallView& install : *installs)
        made = made || install.job.has_value();
    co_return reply(made ? 201 : 200, json::object{{"dry_run", dry_run}, {"installs", array_of(*installs)}});
}

boost::asio::awaitable<Reply> cancel_reply(Backend& backend, std::int64_t id, std::string body,
                                           Caller caller) {
    const auto parsed = parse_body(body, {});
    if (!parsed) co_return reply_for(parsed.error());
    const auto job = co_await backend.cancel(id, std::move(caller));
    co_return job_reply(job);
}

boost::asio::awaitable<Reply> retry_reply(Backend& backend, std::int64_t id, std::string body,
                                          Caller caller) {
    const auto parsed = parse_body(body, {"full"});
    if (!parsed) co_return reply_for(parsed.error());
    const auto full = flag(*parsed, "full");
    if (!full) co_return reply_for(full.error());
    const auto job = co_await backend.retry(id, *full, std::move(caller));
    co_return job_reply(job);
}

boost::asio::awaitable<Reply> rollback_reply(Backend& backend, std::string device, std::string body,
                                             Caller caller) {
    const auto parsed = parse_body(body, {});
    if (!parsed) co_return reply_for(parsed.error());
    const auto job = co_await backend.rollback(std::move(device), std::move(caller));
    co_return job ? reply(201, to_json_with_transitions(*job)) : reply_for(job.error());
}

boost::asio::awaitable<Reply> dispatch(Backend& backend, Route route, std::string body, Caller caller) {
    switch (route.action) {
        case Action::status:
            co_return status_reply(backend);
        case Action::devices:
            co_return devices_reply(backend);
        case Action::device:
            co_return device_reply(backend, route.name);
        case Action::jobs:
            co_return jobs_reply(backend, route.filter);
        case Action::job:
            co_return job_reply(backend.job(route.id));
        case Action::install:
            co_return co_await install_reply(backend, std::move(body), std::move(caller));
        case Action::cancel:
            co_return co_await cancel_reply(backend, route.id, std::move(body), std::move(caller));
        case Action::retry:
            co_return co_await retry_reply(backend, route.id, std::move(body), std::move(caller));
        case Action::rollback:
            co_return co_await rollback_reply(backend, std::move(route.name), std::move(body),
                                              std::move(caller));
        case Action::refresh: {
            const auto device = co_await backend.refresh(std::move(route.name));
            co_return device ? reply(200, to_json(*device)) : reply_for(device.error());
        }
        case Action::upload:
        case Action::events:
            break;
    }
    co_return reply_for(Error{ErrorCode::internal, "this address has no plain answer", "report this", 0});
}

}  // namespace

Reply reply_for(const Error& error) {
    return reply(http_status(error.code), json::object{{"error", to_json(error)}});
}

Reply reply_for(const Refusal& refusal) {
    Reply out = reply(refusal.http_status, json::object{{"error", to_json(refusal.error)}});
    out.allow = refusal.allow;
    return out;
}

Reply reply_for(const PackageView& package) {
    return reply(201, to_json(package));
}

boost::asio::awaitable<Reply> answer(Backend& backend, Route route, std::string body, Caller caller) {
    try {
        co_return co_await dispatch(backend, std::move(route), std::move(body), std::move(caller));
    } catch (const std::exception& problem) {
        co_return reply_for(Error{ErrorCode::internal, std::string("a fault in mcuotad: ") + problem.what(),
                                  "report this with the journal: journalctl -u mcuota", 0});
    }
}

}  // namespace mcuota::api
