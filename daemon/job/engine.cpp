// The engine's life: start, stop, and what its workers ask of it.
#include "daemon/job/engine.hpp"

#include <boost/asio/post.hpp>
#include <utility>

#include "daemon/api/store_views.hpp"
#include "daemon/job/requirements.hpp"
#include "mcu_flasher/link/image_state.hpp"

namespace mcuota::job {

Engine::Engine(EngineParts parts, const config::Config& config)
    : parts_(std::move(parts)),
      config_(config),
      tools_{parts_.executor,
             parts_.pool,
             parts_.store,
             parts_.cache,
             parts_.fetcher,
             {config.policy.attempts_max, config.policy.backoff_min_ms, config.policy.backoff_max_ms,
              config.policy.new_url_wait_ms},
             parts_.log,
             parts_.look_again_ms} {}

Engine::~Engine() = default;

Result<void> Engine::start() {
    started_at_ms_ = now_ms();
    std::vector<std::pair<std::string, std::string>> names;
    for (const config::DeviceConfig& device : config_.devices)
        names.emplace_back(device.name, device.hardware);
    Result<void> configured = parts_.store.configure_devices(names);
    if (!configured) return configured;
    WorkerHost& host = *this;
    for (const config::DeviceConfig& device : config_.devices) {
        Result<std::optional<db::DeviceRecord>> record = parts_.store.device(device.name);
        if (!record) return std::move(record).error();
        workers_.emplace(device.name, std::make_unique<DeviceWorker>(tools_, host, device, **record,
                                                                     parts_.make_port(device.link)));
    }
    for (const cloud::CloudConfig& entry : config_.clouds) {
        CloudState& state = clouds_[entry.name];
        state.config = entry;
        Result<std::unique_ptr<cloud::Cloud>> made = parts_.make_cloud(entry, *this);
        if (!made) return std::move(made).error().while_doing("preparing cloud " + entry.name);
        state.cloud = std::move(*made);
    }
    Result<void> reconciled = reconcile();
    if (!reconciled) return reconciled;
    running_workers_ = workers_.size();
    for (const auto& [name, worker] : workers_)
        worker->start();
    for (const auto& [name, state] : clouds_)
        state.cloud->start();
    return {};
}

// Jobs of devices that left the configuration are ended in words; jobs a crash kept from being replaced are.
Result<void> Engine::reconcile() {
    Result<std::vector<db::JobRecord>> unfinished = parts_.store.unfinished_jobs();
    if (!unfinished) return std::move(unfinished).error();
    for (const db::JobRecord& job : *unfinished) {
        if (workers_.contains(job.device)) continue;
        db::JobChange change;
        change.after = job;
        change.after.state = db::JobState::failed;
        change.after.error =
            Error{ErrorCode::not_found, "device " + job.device + " is no longer in the configuration",
                  "add it to mcuota.toml again, then: mcuota job retry " + std::to_string(job.id)};
        change.from = job.state;
        change.reason = change.after.error->what;
        if (job.source_kind == db::SourceKind::cloud)
            change.outbox = encode(job.provider, {cloud::Report::Kind::failure, job.device, job.module,
                                                  job.to_version, 0, change.after.error});
        Result<void> ended = parts_.store.change_job(change, now_ms());
        if (!ended) return ended;
    }
    for (const auto& [name, worker] : workers_) {
        Result<std::vector<db::JobRecord>> own = unfinished_of(name);
        if (!own) return std::move(own).error();
        for (const std::int64_t id : overtaken(*own)) {
            Result<db::JobRecord> ended =
                worker->post(id, {.kind = EventKind::superseded, .who = "a later job"}, std::nullopt);
            if (!ended) return std::move(ended).error();
        }
    }
    return {};
}

void Engine::stop(std::function<void()> done) {
    if (std::exchange(stopping_, true)) return;
    stopped_ = std::move(done);
    for (const auto& [name, state] : clouds_)
        if (state.cloud) state.cloud->stop();
    for (const auto& [name, worker] : workers_)
        worker->stop();
    tell_stopped();
}

void Engine::tell_stopped() {
    // The executor is never empty; said for clang-tidy, which supposes it in Asio's own code.
    if (running_workers_ == 0 && stopped_ && parts_.executor) boost::asio::post(parts_.executor, stopped_);
}

void Engine::worker_stopped() {
    --running_workers_;
    tell_stopped();
}

std::optional<std::string> Engine::version_of(const std::string& device) const {
    const auto worker = workers_.find(device);
    if (worker == workers_.end()) return std::nullopt;
    const db::ImageRecord& running = worker->second->device().running;
    if (running.state != flasher::kImageConfirmed || running.version.empty()) return std::nullopt;
    return running.version;
}

std::string Engine::status_line() const {
    std::size_t busy = 0;
    for (const auto& [name, worker] : workers_)
        busy += worker->job() ? 1U : 0U;
    std::string line = std::to_string(workers_.size()) + (workers_.size() == 1 ? " device, " : " devices, ") +
                       std::to_string(busy) + (busy == 1 ? " job under way" : " jobs under way");
    for (const auto& [name, state] : clouds_)
        line += ", cloud " + name + (state.up ? " connected" : " not connected");
    return line;
}

std::uint64_t Engine::random() {
    return (static_cast<std::uint64_t>(random_()) << 32U) | random_();
}

std::vector<db::OutboxRecord> Engine::encode(const std::string& provider, const cloud::Report& report) {
    std::vector<db::OutboxRecord> records;
    const auto state = clouds_.find(provider);
    if (state == clouds_.end() || !state->second.cloud) return records;
    for (cloud::OutMessage& message : state->second.cloud->encode(report))
        records.push_back({0, provider, report.device, std::move(message.topic), std::move(message.payload),
                           message.qos, std::move(message.coalesce_key)});
    return records;
}

void Engine::outbox_changed(const std::string& provider) {
    const auto state = clouds_.find(provider);
    if (state != clouds_.end() && state->second.cloud) state->second.cloud->outbox_changed();
}

void Engine::request_offer(const std::string& provider, const std::string& device,
                           const std::string& module) {
    const auto state = clouds_.find(provider);
    if (state != clouds_.end() && state->second.cloud) state->second.cloud->request_offer(device, module);
}

// On a pool thread: reads only what never changes after start().
Result<void> Engine::check_signature(const db::JobRecord& job, const OpenedPackage& opened) {
    if (job.source_kind != db::SourceKind::cloud || !parts_.check_signature) return {};
    const auto state = clouds_.find(job.provider);
    if (state == clouds_.end()) return {};
    cloud::Offer offer;
    offer.provider = job.provider;
    offer.device = job.device;
    offer.request_id = job.request_id;
    offer.module = job.module;
    offer.version = job.to_version;
    offer.size_bytes = job.size_bytes;
    offer.digest_kind = static_cast<cloud::DigestKind>(job.digest_kind);
    offer.digest_hex = job.digest_hex;
    offer.digest_sign_base64 = job.digest_sign;
    return parts_.check_signature(state->second.config, offer, opened.sha256_raw, opened.md5_raw);
}

std::optional<Error> Engine::unmet(const Manifest& manifest) const {
    std::vector<Fellow> fellows;
    for (const auto& [name, worker] : workers_) {
        const db::ImageRecord& running = worker->device().running;
        fellows.push_back({name, worker->config().hardware,
                           running.state == flasher::kImageConfirmed ? running.version : std::string()});
    }
    return unmet_requirement(manifest, fellows);
}

void Engine::job_changed(const db::JobRecord& job) {
    publish(view(job));
    if (parts_.changed) parts_.changed();
}

void Engine::device_changed(const std::string& device) {
    const auto worker = workers_.find(device);
    if (worker != workers_.end()) publish(view(*worker->second));
    for (const auto& [name, other] : workers_)
        if (name != device) other->fellow_changed();
}

void Engine::publish(const api::Event& event) {
    // A callback may end its own subscription.
    std::vector<EventFn> callbacks;
    callbacks.reserve(subscribers_.size());
    for (const auto& [id, callback] : subscribers_)
        callbacks.push_back(callback);
    for (const EventFn& callback : callbacks)
        callback(event);
}

}  // namespace mcuota::job
