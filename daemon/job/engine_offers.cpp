// What the clouds say: offers, links, and the outbox they drain.
#include <utility>

#include "daemon/job/engine.hpp"

namespace mcuota::job {
namespace {

constexpr std::uint32_t kFailuresLookedAt = 100;

}  // namespace

void Engine::on_offer(const cloud::Offer& offer) {
    const auto worker = workers_.find(offer.device);
    if (worker == workers_.end()) {
        parts_.log.warning("cloud " + offer.provider + " offers " + offer.version +
                           " for the unknown device " + offer.device + "; ignored");
        return;
    }
    Result<void> taken = take_offer(offer, *worker->second);
    if (!taken)
        parts_.log.error(
            "cloud " + offer.provider + " offers " + offer.version + " for " + offer.device +
            ", but it cannot be written down; the cloud will offer it again: " + taken.error().line());
}

Result<void> Engine::take_offer(const cloud::Offer& offer, DeviceWorker& worker) {
    db::JobRecord wanted;
    wanted.device = offer.device;
    wanted.hardware = worker.config().hardware;
    wanted.module = offer.module;
    wanted.provider = offer.provider;
    wanted.request_id = offer.request_id;
    wanted.to_version = offer.version;
    wanted.from_version = worker.device().running.version;
    wanted.url = offer.url;
    wanted.size_bytes = offer.size_bytes;
    wanted.digest_kind = static_cast<std::uint8_t>(offer.digest_kind);
    wanted.digest_hex = offer.digest_hex;
    wanted.digest_sign = offer.digest_sign_base64;
    wanted.is_diff = offer.is_diff;

    Result<std::vector<db::JobRecord>> unfinished = unfinished_of(offer.device);
    if (!unfinished) return std::move(unfinished).error();
    Result<std::optional<db::JobRecord>> last =
        parts_.store.last_finished(offer.device, db::SourceKind::cloud, offer.provider, offer.module);
    if (!last) return std::move(last).error();
    // Only the word of that job's own end counts: what waits since then is about something else.
    Result<std::uint64_t> pending_reports = parts_.store.outbox_count(
        offer.provider, offer.device, *last ? (*last)->finished_at_ms.value_or(0) : 0);
    if (!pending_reports) return std::move(pending_reports).error();
    Result<std::vector<db::JobRecord>> failures = parts_.store.failures(offer.device, kFailuresLookedAt);
    if (!failures) return std::move(failures).error();
    const Past past{std::move(*last), std::move(*failures), *pending_reports > 0};
    const Admission admission = admit(wanted, *unfinished, past, worker.device());
    const std::string id = std::to_string(admission.job);
    switch (admission.kind) {
        case Admission::Kind::refresh: {
            parts_.log.info("job " + id + " (" + offer.device + "): offered again");
            Result<db::JobRecord> refreshed = worker.post(admission.job,
                                                          {.kind = EventKind::fresh_offer,
                                                           .url = offer.url,
                                                           .request_id = offer.request_id,
                                                           .digest_sign = offer.digest_sign_base64},
                                                          std::nullopt);
            if (!refreshed) return std::move(refreshed).error();
            return {};
        }
        case Admission::Kind::tell_again: {
            parts_.log.info("job " + id + " (" + offer.device + ") has installed this already; told again");
            const std::vector<db::OutboxRecord> messages =
                encode(offer.provider, {cloud::Report::Kind::version,
                                        offer.device,
                                        offer.module,
                                        worker.device().running.version,
                                        0,
                                        {}});
            Result<void> saved = parts_.store.save_device(worker.device(), messages, now_ms());
            if (!saved) return saved;
            outbox_changed(offer.provider);
            return {};
        }
        case Admission::Kind::ignore:
            parts_.log.info("job " + id + " (" + offer.device +
                            ") has failed with this; the cloud is being told");
            return {};
        case Admission::Kind::refuse:
            return refuse_offer(offer, worker, admission.job);
        case Admission::Kind::create:
            break;
    }
    db::AuditRecord audit;
    audit.who = offer.provider;
    audit.action = "offer";
    audit.device = offer.device;
    audit.detail = "version " + offer.version;
    Result<std::int64_t> created = create(
        wanted, admission, worker, "cloud " + offer.provider + " offers version " + offer.version, audit);
    if (!created) return std::move(created).error();
    return {};
}

// The content has failed on this device as often as a cloud may try: the cloud is told, nothing is done.
Result<void> Engine::refuse_offer(const cloud::Offer& offer, const DeviceWorker& worker,
                                  std::int64_t failed) {
    Result<std::optional<db::JobRecord>> job = parts_.store.job(failed);
    if (!job) return std::move(job).error();
    const std::string why = *job && (**job).error ? (**job).error->what : std::string("it failed");
    const Error error{ErrorCode::failed_before,
                      "version " + offer.version + " has failed on " + offer.device + " " +
                          std::to_string(kFailuresMax) +
                          " times and is not tried again; the last time: " + why,
                      "mend the cause, then: mcuota job retry " + std::to_string(failed)};
    parts_.log.warning("cloud " + offer.provider + ", device " + offer.device + ": " + error.line());
    // One word about it at a time: what the cloud has not heard yet need not be said again.
    Result<std::uint64_t> waiting = parts_.store.outbox_count(offer.provider, offer.device, now_ms());
    if (!waiting) return std::move(waiting).error();
    if (*waiting > 0) return {};
    const std::vector<db::OutboxRecord> messages = encode(
        offer.provider, {cloud::Report::Kind::failure, offer.device, offer.module, offer.version, 0, error});
    Result<void> saved = parts_.store.save_device(worker.device(), messages, now_ms());
    if (!saved) return saved;
    outbox_changed(offer.provider);
    return {};
}

Result<std::int64_t> Engine::create(const db::JobRecord& wanted, const Admission& admission,
                                    DeviceWorker& worker, const std::string& reason,
                                    const db::AuditRecord& audit) {
    Result<std::int64_t> id = parts_.store.insert_job(wanted, reason, audit, now_ms());
    if (!id) return id;
    parts_.log.info("job " + std::to_string(*id) + " (" + wanted.device + "): queued: " + reason);
    // The new one is written down first: a crash in between leaves both, and the next start ends the older.
    for (const std::int64_t old : admission.superseded) {
        Result<db::JobRecord> ended = worker.post(
            old, {.kind = EventKind::superseded, .who = "job " + std::to_string(*id)}, std::nullopt);
        if (!ended) parts_.log.warning("job " + std::to_string(old) + ": " + ended.error().line());
    }
    worker.wake();
    Result<std::optional<db::JobRecord>> stored = parts_.store.job(*id);
    if (stored && *stored) job_changed(**stored);
    return id;
}

Result<std::vector<db::JobRecord>> Engine::unfinished_of(const std::string& device) {
    Result<std::vector<db::JobRecord>> all = parts_.store.unfinished_jobs();
    if (!all) return all;
    std::erase_if(*all, [&](const db::JobRecord& job) { return job.device != device; });
    return all;
}

void Engine::on_bad_offer(const std::string& provider, const std::string& device, const Error& error) {
    parts_.log.warning("cloud " + provider + ", device " + device + ": " + error.line());
    const auto worker = workers_.find(device);
    if (worker == workers_.end()) return;
    const std::vector<db::OutboxRecord> messages = encode(
        provider, {cloud::Report::Kind::failure, device, worker->second->config().module, "", 0, error});
    Result<void> saved = parts_.store.save_device(worker->second->device(), messages, now_ms());
    if (!saved) {
        parts_.log.error("cloud " + provider + ": " + saved.error().line());
        return;
    }
    outbox_changed(provider);
}

void Engine::on_link(const std::string& provider, bool up, const std::string& why) {
    const auto state = clouds_.find(provider);
    if (state == clouds_.end()) return;
    CloudState& cloud = state->second;
    const bool news = cloud.up != up || cloud.why != why || !cloud.since_ms;
    if (cloud.up != up || !cloud.since_ms) cloud.since_ms = now_ms();
    cloud.up = up;
    cloud.why = up ? std::string() : why;
    if (!news) return;
    if (up)
        parts_.log.info("cloud " + provider + ": connected");
    else
        parts_.log.warning("cloud " + provider + ": not connected" + (why.empty() ? "" : ": " + why));
    publish(view(cloud));
    if (parts_.changed) parts_.changed();
}

std::vector<cloud::Outbox::Item> Engine::pending(const std::string& provider, std::size_t limit) {
    Result<std::vector<db::OutboxRecord>> records = parts_.store.outbox(provider, limit);
    if (!records) {
        parts_.log.error("cloud " + provider + ": " + records.error().line());
        return {};
    }
    std::vector<cloud::Outbox::Item> items;
    items.reserve(records->size());
    for (db::OutboxRecord& record : *records)
        items.push_back({record.id,
                         {std::move(record.topic), std::move(record.payload), record.qos,
                          std::move(record.coalesce_key)}});
    return items;
}

void Engine::acknowledged(std::int64_t id) {
    // Not removed means: told again later, which clouds bear.
    Result<void> dropped = parts_.store.drop_outbox(id);
    if (!dropped) parts_.log.error("outbox: " + dropped.error().line());
}

}  // namespace mcuota::job
