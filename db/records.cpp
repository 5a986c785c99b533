// Names of what the database stores as numbers.
#include "db/records.hpp"

namespace mcuota::db {

std::string_view to_string(JobState state) noexcept {
    switch (state) {
        case JobState::queued:
            return "queued";
        case JobState::downloading:
            return "downloading";
        case JobState::verifying:
            return "verifying";
        case JobState::waiting:
            return "waiting";
        case JobState::sending:
            return "sending";
        case JobState::installing:
            return "installing";
        case JobState::trial:
            return "trial";
        case JobState::succeeded:
            return "succeeded";
        case JobState::reverting:
            return "reverting";
        case JobState::failed:
            return "failed";
        case JobState::cancelled:
            return "cancelled";
    }
    return "unknown";
}

std::optional<JobState> job_state_from(std::string_view name) noexcept {
    for (const JobState state : kJobStates)
        if (to_string(state) == name) return state;
    return std::nullopt;
}

bool is_finished(JobState state) noexcept {
    return state == JobState::succeeded || state == JobState::failed || state == JobState::cancelled;
}

std::string_view to_string(WaitReason reason) noexcept {
    switch (reason) {
        case WaitReason::none:
            return "";
        case WaitReason::backoff:
            return "backoff";
        case WaitReason::new_url:
            return "new_url";
    }
    return "";
}

std::string_view to_string(SourceKind kind) noexcept {
    return kind == SourceKind::cloud ? "cloud" : "local";
}

}  // namespace mcuota::db
