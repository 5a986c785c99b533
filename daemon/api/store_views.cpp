// The one mapping from database rows to views.
#include "daemon/api/store_views.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "mcu_flasher/base/status_text.hpp"
#include "mcu_flasher/link/image_state.hpp"

namespace mcuota::api {
namespace {

using db::JobState;

std::string step_of(const db::JobRecord& job) {
    switch (job.state) {
        case JobState::queued:
            return "queue";
        case JobState::downloading:
            return "download";
        case JobState::verifying:
            return "verify";
        case JobState::waiting:
            return std::string(to_string(job.wait_reason));
        case JobState::sending:
            return "send";
        case JobState::installing:
            return "apply";
        case JobState::trial:
            return "trial";
        case JobState::reverting:
            return "restore";
        case JobState::succeeded:
        case JobState::failed:
        case JobState::cancelled:
            return "done";
    }
    return "";
}

std::string image_state_of(std::uint8_t state, bool backup) {
    if (backup) return state == flasher::kBackupDamaged ? "damaged" : "valid";
    switch (state) {
        case flasher::kImageConfirmed:
            return "confirmed";
        case flasher::kImageOnTrial:
            return "trial";
        case flasher::kImageDamaged:
            return "damaged";
        default:
            return "unknown";
    }
}

std::optional<ImageView> image_of(const db::ImageRecord& image, bool backup) {
    if (image.state == flasher::kNoImage) return std::nullopt;
    ImageView out{image.version, image_state_of(image.state, backup), image.sha256, image.bytes,
                  std::nullopt};
    if (!backup) out.security_counter = image.security_counter;
    return out;
}

}  // namespace

JobView view_of(const db::JobRecord& job) {
    JobView out;
    out.id = job.id;
    out.device = job.device;
    out.hardware = job.hardware;
    out.source = {std::string(to_string(job.source_kind)), job.provider, job.request_id};
    out.state = to_string(job.state);
    out.from_version = job.from_version;
    out.to_version = job.to_version;
    out.payload_kind = job.payload_kind;
    out.payload_bytes = job.payload_bytes;
    out.progress.step = step_of(job);
    out.progress.percent =
        job.state == JobState::succeeded ? std::uint8_t{100} : std::max(job.percent, job.told_percent);
    out.attempts = job.attempts;
    out.error = job.error;
    out.created_at_ms = job.created_at_ms;
    out.updated_at_ms = job.updated_at_ms;
    out.finished_at_ms = job.finished_at_ms;
    return out;
}

TransitionView view_of(const db::TransitionRecord& transition) {
    return {transition.at_ms, transition.from ? std::string(to_string(*transition.from)) : std::string(),
            std::string(to_string(transition.to)), transition.reason};
}

DeviceView view_of(const db::DeviceRecord& device) {
    DeviceView out;
    out.name = device.name;
    out.hardware = device.hardware;
    out.reachable = device.reachable;
    out.seen_at_ms = device.seen_at_ms;
    out.role = device.role == 1 ? "loader" : device.role == 2 ? "agent" : "";
    out.unique_id = device.unique_id;
    out.loader_version = device.loader_version;
    out.agent_version = device.agent_version;
    out.running = image_of(device.running, false);
    out.backup = image_of(device.backup, true);
    if (device.seen_at_ms) out.security_counter_floor = device.security_counter_floor;
    if (device.stay_reason != 0) out.stay_reason = summary(static_cast<Status>(device.stay_reason));
    out.error = device.error;
    return out;
}

db::JobQuery query_of(const JobFilter& filter) {
    db::JobQuery out;
    for (const std::string& name : filter.states)
        if (const auto state = db::job_state_from(name)) out.states.push_back(*state);
    out.device = filter.device;
    out.since_ms = filter.since_ms;
    out.limit = filter.limit;
    return out;
}

Result<std::vector<DeviceView>> devices_from_store(db::Store& store) {
    auto devices = store.devices();
    if (!devices) return std::move(devices).error();
    const auto unfinished = store.unfinished_jobs();
    if (!unfinished) return unfinished.error();
    std::vector<DeviceView> out;
    for (const db::DeviceRecord& device : *devices) {
        out.push_back(view_of(device));
        for (const db::JobRecord& job : *unfinished)
            if (job.device == device.name && !out.back().active_job) out.back().active_job = job.id;
    }
    return out;
}

Result<std::vector<JobView>> jobs_from_store(db::Store& store, const JobFilter& filter) {
    const auto jobs = store.jobs(query_of(filter));
    if (!jobs) return jobs.error();
    std::vector<JobView> out;
    for (const db::JobRecord& job : *jobs)
        out.push_back(view_of(job));
    return out;
}

Result<JobView> job_from_store(db::Store& store, std::int64_t id) {
    const auto job = store.job(id);
    if (!job) return job.error();
    if (!*job)
        return Error{ErrorCode::not_found, "there is no job " + std::to_string(id),
                     "list them: mcuota job list", 0};
    JobView out = view_of(**job);
    const auto transitions = store.transitions(id);
    if (!transitions) return transitions.error();
    for (const db::TransitionRecord& transition : *transitions)
        out.transitions.push_back(view_of(transition));
    return out;
}

}  // namespace mcuota::api
