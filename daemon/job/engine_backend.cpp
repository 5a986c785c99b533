// What the admin socket asks for.
#include <algorithm>
#include <set>
#include <utility>

#include "daemon/api/store_views.hpp"
#include "daemon/job/engine.hpp"
#include "daemon/job/on_pool.hpp"
#include "daemon/version.hpp"
#include "mcu_flasher/base/hex.hpp"
#include "mcu_flasher/link/image_state.hpp"

namespace mcuota::job {
namespace asio = boost::asio;
namespace {

std::string hex_of(std::span<const std::uint8_t> bytes) {
    return to_hex(bytes);
}

api::PackageView view_of_package(const package::Package& package, std::string sha256, std::uint64_t bytes) {
    api::PackageView view;
    view.sha256 = std::move(sha256);
    view.bytes = bytes;
    for (const package::Entry& entry : package.entries) {
        const Manifest& manifest = entry.manifest;
        api::PackageEntryView row;
        row.hardware = manifest.hardware.view();
        row.version = manifest.version.view();
        row.security_counter = manifest.security_counter;
        row.image_bytes = manifest.image_size_bytes;
        row.image_sha256 = hex_of(manifest.image_sha256);
        row.key_id = hex_of(manifest.key_id);
        for (std::size_t i = 0; i < manifest.payload_count; ++i)
            row.payload_kinds.emplace_back(package::to_string(manifest.payloads[i].kind));
        view.entries.push_back(std::move(row));
    }
    return view;
}

db::AuditRecord audit_of(const api::Caller& caller, std::string action, std::string device,
                         std::string detail) {
    db::AuditRecord audit;
    audit.who = caller.name;
    audit.uid = caller.uid;
    audit.action = std::move(action);
    audit.device = std::move(device);
    audit.detail = std::move(detail);
    return audit;
}

}  // namespace

api::DaemonView Engine::daemon() const {
    return {true, std::string(kVersion), started_at_ms_, config_.daemon.state_dir.string()};
}

std::vector<api::CloudView> Engine::clouds() const {
    std::vector<api::CloudView> views;
    for (const auto& [name, state] : clouds_)
        views.push_back(view(state));
    return views;
}

Result<std::vector<api::DeviceView>> Engine::devices() {
    std::vector<api::DeviceView> views;
    for (const auto& [name, worker] : workers_)
        views.push_back(view(*worker));
    return views;
}

Result<std::vector<api::JobView>> Engine::jobs(const api::JobFilter& filter) {
    Result<std::vector<db::JobRecord>> records = parts_.store.jobs(api::query_of(filter));
    if (!records) return std::move(records).error();
    std::vector<api::JobView> views;
    for (const db::JobRecord& record : *records)
        views.push_back(view(record));
    return views;
}

Result<api::JobView> Engine::job(std::int64_t id) {
    Result<api::JobView> stored = api::job_from_store(parts_.store, id);
    if (!stored) return stored;
    const auto worker = workers_.find(stored->device);
    if (worker == workers_.end() || !worker->second->job() || worker->second->job()->id != id) return stored;
    api::JobView live = view(*worker->second->job());
    live.transitions = std::move(stored->transitions);
    return live;
}

asio::awaitable<Result<api::PackageView>> Engine::adopt_package(std::filesystem::path file,
                                                                std::string sha256_hex) {
    const db::TimeMs at_ms = now_ms();
    co_return co_await on_pool(parts_.pool, [&]() -> Result<api::PackageView> {
        Result<package::Package> package = parts_.cache.open_all(file);
        if (!package) return std::move(package).error();
        std::error_code ignored;
        const std::uint64_t bytes = std::filesystem::file_size(file, ignored);
        Result<void> adopted = parts_.cache.adopt(file, sha256_hex, at_ms);
        if (!adopted) return std::move(adopted).error();
        return view_of_package(*package, sha256_hex, bytes);
    });
}

std::filesystem::path Engine::upload_dir() const {
    return parts_.cache.upload_dir();
}
std::uint64_t Engine::package_bytes_max() const {
    return parts_.cache.file_bytes_max();
}

asio::awaitable<Result<std::vector<api::InstallView>>> Engine::install(api::InstallRequest request) {
    if (!parts_.cache.holds(request.package_sha256))
        co_return Error{ErrorCode::not_found, "no package " + request.package_sha256 + " is in the cache",
                        "upload it first: mcuota install FILE does"};
    const std::filesystem::path file = parts_.cache.file(request.package_sha256);
    Result<package::Package> package =
        co_await on_pool(parts_.pool, [&] { return parts_.cache.open_all(file); });
    if (!package) co_return std::move(package).error();
    co_return install_now(request, *package);
}

// All checks first, then all jobs in one transaction.
Result<std::vector<api::InstallView>> Engine::install_now(const api::InstallRequest& request,
                                                          const package::Package& package) {
    if (stopping_)
        return Error{ErrorCode::daemon_unreachable, "mcuotad is stopping", "ask again when it runs"};
    if (request.devices.empty())
        return Error{ErrorCode::usage, "no device is named", "name one or more with --device"};
    std::vector<api::InstallView> views;
    std::vector<std::pair<db::JobRecord, Admission>> wanted;
    for (const std::string& name : std::set(request.devices.begin(), request.devices.end())) {
        const auto found = workers_.find(name);
        if (found == workers_.end())
            return Error{ErrorCode::not_found, "there is no device " + name, "see them: mcuota device list"};
        const DeviceWorker& worker = *found->second;
        const package::Entry* entry = package.find(worker.config().hardware);
        if (entry == nullptr)
            return Error{
                ErrorCode::wrong_hardware,
                "the package holds nothing for " + worker.config().hardware + ", which " + name + " is",
                "use the package built for it: mcuota-pack inspect FILE shows what one holds"};
        api::InstallView view;
        view.device = name;
        view.from_version = worker.device().running.version;
        view.to_version = entry->manifest.version.view();
        view.up_to_date = worker.device().reachable.value_or(false) &&
                          worker.device().running.state == flasher::kImageConfirmed &&
                          worker.device().running.sha256 == hex_of(entry->manifest.image_sha256) &&
                          !worker.job();
        if (!view.up_to_date) {
            db::JobRecord job;
            job.device = name;
            job.hardware = worker.config().hardware;
            job.source_kind = db::SourceKind::local;
            job.provider = request.caller.name;
            job.module = worker.config().module;
            job.from_version = view.from_version;
            job.to_version = view.to_version;
            job.package_sha256 = request.package_sha256;
            Result<std::vector<db::JobRecord>> unfinished = unfinished_of(name);
            if (!unfinished) return std::move(unfinished).error();
            wanted.emplace_back(job, admit(job, *unfinished, {}, worker.device()));
        }
        views.push_back(std::move(view));
    }
    if (request.dry_run) return views;

    std::map<std::string, std::int64_t> ids;
    Result<void> written = parts_.store.together([&]() -> Result<void> {
        for (const auto& [job, admission] : wanted) {
            if (admission.kind == Admission::Kind::refresh) {
                ids[job.device] = admission.job;
                continue;
            }
            Result<std::int64_t> id = parts_.store.insert_job(
                job, request.caller.name + " asks for version " + job.to_version,
                audit_of(request.caller, "install", job.device, "version " + job.to_version), now_ms());
            if (!id) return std::move(id).error();
            ids[job.device] = *id;
        }
        return {};
    });
    if (!written) return std::move(written).error();
    for (const auto& [job, admission] : wanted) {
        DeviceWorker& worker = *workers_.at(job.device);
        for (const std::int64_t old : admission.superseded) {
            Result<db::JobRecord> ended = worker.post(
                old, {.kind = EventKind::superseded, .who = "job " + std::to_string(ids[job.device])},
                std::nullopt);
            if (!ended) parts_.log.warning("job " + std::to_string(old) + ": " + ended.error().line());
        }
        worker.wake();
        Result<std::optional<db::JobRecord>> stored = parts_.store.job(ids[job.device]);
        if (stored && *stored) job_changed(**stored);
    }
    for (api::InstallView& view : views)
        if (!view.up_to_date) view.job = ids[view.device];
    return views;
}

Result<DeviceWorker*> Engine::worker_of_job(std::int64_t id) {
    Result<std::optional<db::JobRecord>> stored = parts_.store.job(id);
    if (!stored) return std::move(stored).error();
    if (!*stored)
        return Error{ErrorCode::not_found, "there is no job " + std::to_string(id),
                     "see them: mcuota job list"};
    const auto worker = workers_.find((*stored)->device);
    if (worker == workers_.end())
        return Error{ErrorCode::wrong_state,
                     "device " + (*stored)->device + " is no longer in the configuration",
                     "add it to mcuota.toml again"};
    return worker->second.get();
}

asio::awaitable<Result<api::JobView>> Engine::cancel(std::int64_t id, api::Caller caller) {
    Result<DeviceWorker*> worker = worker_of_job(id);
    if (!worker) co_return std::move(worker).error();
    const Event event{.kind = EventKind::cancel, .who = caller.name};
    Result<db::JobRecord> done =
        (*worker)->post(id, event, audit_of(caller, "cancel", (*worker)->config().name, ""));
    if (!done) co_return std::move(done).error();
    co_return job(id);
}

asio::awaitable<Result<api::JobView>> Engine::retry(std::int64_t id, bool full, api::Caller caller) {
    Result<DeviceWorker*> worker = worker_of_job(id);
    if (!worker) co_return std::move(worker).error();
    Result<std::optional<db::JobRecord>> record = parts_.store.job(id);
    if (!record) co_return std::move(record).error();
    const bool installs = (*record)->goal == db::JobGoal::install;
    const bool gone = installs && !parts_.cache.holds((*record)->package_sha256);
    if (gone && (*record)->source_kind == db::SourceKind::local)
        co_return Error{ErrorCode::not_found,
                        "the package of job " + std::to_string(id) + " has left the cache",
                        "install it again: mcuota install FILE --device " + (*record)->device};
    const Event event{.kind = EventKind::retry, .full = full, .package_gone = gone, .who = caller.name};
    Result<db::JobRecord> done =
        (*worker)->post(id, event, audit_of(caller, "retry", (*worker)->config().name, ""));
    if (!done) co_return std::move(done).error();
    (*worker)->wake();
    co_return job(id);
}

asio::awaitable<Result<api::JobView>> Engine::rollback(std::string device, api::Caller caller) {
    const auto found = workers_.find(device);
    if (found == workers_.end())
        co_return Error{ErrorCode::not_found, "there is no device " + device, "see them: mcuota device list"};
    DeviceWorker& worker = *found->second;
    co_await worker.refresh();
    if (stopping_)
        co_return Error{ErrorCode::daemon_unreachable, "mcuotad is stopping", "ask again when it runs"};
    if (worker.job() && device_decides(*worker.job()))
        co_return Error{ErrorCode::wrong_state,
                        device + " is being updated by job " + std::to_string(worker.job()->id),
                        "watch it: mcuota job watch " + std::to_string(worker.job()->id)};
    Result<db::ImageRecord> image = worker.backup();
    if (!image) co_return std::move(image).error();
    const db::ImageRecord& running = worker.device().running;
    if (running.state == flasher::kImageConfirmed && running.sha256 == image->sha256)
        co_return Error{ErrorCode::nothing_to_do,
                        device + " runs its backup image " + image->version + " already",
                        "install the version wanted: mcuota install FILE --device " + device};
    db::JobRecord job;
    job.device = device;
    job.hardware = worker.config().hardware;
    job.goal = db::JobGoal::rollback;
    job.source_kind = db::SourceKind::local;
    job.provider = caller.name;
    job.module = worker.config().module;
    job.from_version = worker.device().running.version;
    job.to_version = image->version;
    job.image_sha256 = image->sha256;
    Result<std::vector<db::JobRecord>> unfinished = unfinished_of(device);
    if (!unfinished) co_return std::move(unfinished).error();
    const Admission admission = admit(job, *unfinished, {}, worker.device());
    if (admission.kind == Admission::Kind::refresh) co_return this->job(admission.job);
    const std::string version = "version " + job.to_version;
    Result<std::int64_t> id = create(job, admission, worker, caller.name + " asks to go back to " + version,
                                     audit_of(caller, "rollback", device, version));
    if (!id) co_return std::move(id).error();
    co_return this->job(*id);
}

asio::awaitable<Result<api::DeviceView>> Engine::refresh(std::string device) {
    const auto worker = workers_.find(device);
    if (worker == workers_.end())
        co_return Error{ErrorCode::not_found, "there is no device " + device, "see them: mcuota device list"};
    co_await worker->second->refresh();
    co_return view(*worker->second);
}

std::uint64_t Engine::subscribe(EventFn callback) {
    subscribers_.emplace(++last_subscription_, std::move(callback));
    return last_subscription_;
}
void Engine::unsubscribe(std::uint64_t subscription) {
    subscribers_.erase(subscription);
}

api::JobView Engine::view(const db::JobRecord& job) const {
    const auto worker = workers_.find(job.device);
    const bool active =
        worker != workers_.end() && worker->second->job() && worker->second->job()->id == job.id;
    api::JobView view = api::view_of(job);
    const LiveProgress* live = active ? &worker->second->progress() : nullptr;
    if (live != nullptr && !live->step.empty() && !db::is_finished(job.state))
        view.progress = {live->step, std::max({live->percent, job.told_percent, job.percent}), live->bytes,
                         live->bytes_total, live->bytes_per_second};
    if (live != nullptr && job.state == db::JobState::sending && !live->payload_kind.empty()) {
        view.payload_kind = live->payload_kind;
        view.payload_bytes = live->payload_bytes;
    }
    return view;
}

api::DeviceView Engine::view(const DeviceWorker& worker) const {
    api::DeviceView view = api::view_of(worker.device());
    view.link = worker.config().link;
    view.cloud = worker.config().cloud;
    view.module = worker.config().module;
    if (worker.job()) view.active_job = worker.job()->id;
    return view;
}

api::CloudView Engine::view(const CloudState& cloud) const {
    api::CloudView view{
        cloud.config.name, cloud.config.provider, cloud.config.host, cloud.up, cloud.why, cloud.since_ms, 0};
    Result<std::uint64_t> count = parts_.store.outbox_count(cloud.config.name);
    if (count) view.reports_pending = *count;
    return view;
}

}  // namespace mcuota::job
