// Rules for several requests for one device.
#include "daemon/job/admission.hpp"

#include "daemon/job/job_fsm.hpp"

namespace mcuota::job {

bool same_content(const db::JobRecord& a, const db::JobRecord& b) {
    if (a.source_kind != b.source_kind) return false;
    if (a.source_kind == db::SourceKind::local) return a.package_sha256 == b.package_sha256;
    return a.to_version == b.to_version && a.size_bytes == b.size_bytes && a.digest_kind == b.digest_kind &&
           a.digest_hex == b.digest_hex;
}

bool same_source(const db::JobRecord& a, const db::JobRecord& b) {
    if (a.device != b.device || a.source_kind != b.source_kind) return false;
    return a.source_kind == db::SourceKind::local || (a.provider == b.provider && a.module == b.module);
}

Admission admit(const db::JobRecord& wanted, std::span<const db::JobRecord> unfinished,
                const std::optional<db::JobRecord>& last_finished, const db::DeviceRecord& device,
                bool report_pending) {
    Admission admission;
    for (const db::JobRecord& job : unfinished) {
        if (!same_source(job, wanted)) continue;
        if (same_content(job, wanted)) return {Admission::Kind::refresh, job.id, {}};
        if (!device_decides(job)) admission.superseded.push_back(job.id);
    }
    const bool only_cloud = wanted.source_kind == db::SourceKind::cloud && admission.superseded.empty();
    if (!only_cloud || !last_finished || !same_content(*last_finished, wanted)) return admission;
    const bool runs = device.running.state == 1 && !last_finished->image_sha256.empty() &&
                      device.running.sha256 == last_finished->image_sha256;
    if (last_finished->state == db::JobState::succeeded && runs)
        return {Admission::Kind::tell_again, last_finished->id, {}};
    if (last_finished->state == db::JobState::failed && report_pending)
        return {Admission::Kind::ignore, last_finished->id, {}};
    return admission;
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
