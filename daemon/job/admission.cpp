// Rules for several requests for one device.
#include "daemon/job/admission.hpp"

#include "daemon/job/job_fsm.hpp"
#include "mcu_flasher/link/image_state.hpp"

namespace mcuota::job {

bool same_content(const db::JobRecord& a, const db::JobRecord& b) {
    if (a.source_kind != b.source_kind) return false;
    if (a.goal != b.goal) return false;
    if (a.goal == db::JobGoal::rollback) return a.image_sha256 == b.image_sha256;
    if (a.source_kind == db::SourceKind::local) return a.package_sha256 == b.package_sha256;
    return a.to_version == b.to_version && a.size_bytes == b.size_bytes && a.digest_kind == b.digest_kind &&
           a.digest_hex == b.digest_hex;
}

bool same_source(const db::JobRecord& a, const db::JobRecord& b) {
    if (a.device != b.device || a.source_kind != b.source_kind) return false;
    return a.source_kind == db::SourceKind::local || (a.provider == b.provider && a.module == b.module);
}

bool blames_content(const Error& error) noexcept {
    switch (error.code) {
        case ErrorCode::package_malformed:
        case ErrorCode::package_truncated:
        case ErrorCode::package_oversized:
        case ErrorCode::signature_invalid:
        case ErrorCode::wrong_hardware:
        case ErrorCode::security_counter_too_old:
        case ErrorCode::image_too_large:
        case ErrorCode::memory_budget_exceeded:
        case ErrorCode::payload_mismatch:
        case ErrorCode::version_mismatch:
        case ErrorCode::no_fitting_payload:
        case ErrorCode::device_refused:
        case ErrorCode::trial_failed:
        case ErrorCode::download_size_mismatch:
        case ErrorCode::download_digest_mismatch:
            return true;
        default:
            return false;
    }
}

Admission admit(const db::JobRecord& wanted, std::span<const db::JobRecord> unfinished, const Past& past,
                const db::DeviceRecord& device) {
    Admission admission;
    for (const db::JobRecord& job : unfinished) {
        if (!same_source(job, wanted)) continue;
        if (same_content(job, wanted)) return {Admission::Kind::refresh, job.id, {}};
        if (!device_decides(job)) admission.superseded.push_back(job.id);
    }
    // A person may ask for anything as often as they like.
    if (wanted.source_kind == db::SourceKind::local) return admission;
    const std::optional<db::JobRecord>& last = past.last_finished;
    const bool same_again = admission.superseded.empty() && last && same_content(*last, wanted);
    if (same_again && last->state == db::JobState::failed && past.report_pending)
        return {Admission::Kind::ignore, last->id, {}};
    const bool runs = same_again && device.running.state == flasher::kImageConfirmed &&
                      !last->image_sha256.empty() && device.running.sha256 == last->image_sha256;
    if (runs && last->state == db::JobState::succeeded) return {Admission::Kind::tell_again, last->id, {}};

    Admission refused{Admission::Kind::refuse, 0, {}};
    std::size_t failures = 0;
    for (const db::JobRecord& failed : past.failures) {
        const bool counts = same_source(failed, wanted) && same_content(failed, wanted) && failed.error &&
                            blames_content(*failed.error);
        if (counts && failures++ == 0) refused.job = failed.id;
    }
    return failures >= kFailuresMax ? refused : admission;
}

std::vector<std::int64_t> overtaken(std::span<const db::JobRecord> unfinished) {
    std::vector<std::int64_t> ids;
    for (std::size_t older = 0; older < unfinished.size(); ++older)
        for (std::size_t newer = older + 1; newer < unfinished.size(); ++newer)
            if (same_source(unfinished[older], unfinished[newer]) && !device_decides(unfinished[older])) {
                ids.push_back(unfinished[older].id);
                break;
            }
    return ids;
}

}  // namespace mcuota::job
