// Whether a request for a device becomes a job, and which other jobs it ends: row by row.
#include "daemon/job/admission.hpp"

#include <catch2/catch.hpp>
#include <vector>

using namespace mcuota;
using namespace mcuota::job;
using db::JobRecord;
using db::JobState;
using db::SourceKind;

namespace {

const std::string kWanted(64, 'a'), kOther(64, 'b');

JobRecord a_job(std::int64_t id, JobState state, const char* version = "2.0.0",
                const char* provider = "ali") {
    JobRecord record;
    record.id = id;
    record.device = "pump-1";
    record.state = state;
    record.provider = provider;
    record.to_version = version;
    record.image_sha256 = kWanted;
    return record;
}

}  // namespace

TEST_CASE("requests for one device: refresh, replace, queue, or nothing to do") {
    struct AdmissionRow {
        const char* name;
        std::vector<JobRecord> unfinished;
        std::optional<JobRecord> last;
        bool report_pending;
        Admission::Kind kind;
        std::vector<std::int64_t> superseded;
    };
    const auto local = [](JobRecord record) {
        record.source_kind = SourceKind::local;
        return record;
    };
    using K = Admission::Kind;
    using S = JobState;
    const AdmissionRow rows[] = {
        {"nothing there", {}, {}, false, K::create, {}},
        {"same content", {a_job(1, S::downloading)}, {}, false, K::refresh, {}},
        {"same content, already flashing", {a_job(1, S::installing)}, {}, false, K::refresh, {}},
        {"other content", {a_job(1, S::sending, "1.9.0")}, {}, false, K::create, {1}},
        {"other content, already flashing", {a_job(1, S::trial, "1.9.0")}, {}, false, K::create, {}},
        {"one flashing, one queued",
         {a_job(1, S::trial, "1.8.0"), a_job(2, S::queued, "1.9.0")},
         {},
         false,
         K::create,
         {2}},
        {"another cloud", {a_job(1, S::downloading, "1.9.0", "tencent")}, {}, false, K::create, {}},
        {"a person's job", {local(a_job(1, S::downloading, "1.9.0"))}, {}, false, K::create, {}},
        {"done and still true", {}, a_job(1, S::succeeded), false, K::tell_again, {}},
        {"done, but another version", {}, a_job(1, S::succeeded, "1.9.0"), false, K::create, {}},
        {"failed, and the cloud knows", {}, a_job(1, S::failed), false, K::create, {}},
        {"failed, and the cloud does not know yet", {}, a_job(1, S::failed), true, K::ignore, {}},
    };
    db::DeviceRecord device;
    device.running = {1, "2.0.0", kWanted, 1, 0};
    for (const AdmissionRow& row : rows) {
        INFO(row.name);
        const Admission admission =
            admit(a_job(0, S::queued), row.unfinished, {row.last, {}, row.report_pending}, device);
        CHECK(admission.kind == row.kind);
        CHECK(admission.superseded == row.superseded);
    }
    device.running.sha256 = kOther;  // somebody flashed it by hand
    CHECK(admit(a_job(0, S::queued), {}, {a_job(1, S::succeeded), {}, false}, device).kind == K::create);

    const JobRecord crash[] = {a_job(1, S::downloading, "1.8.0"), a_job(2, S::installing, "1.9.0"),
                               a_job(3, S::queued)};
    CHECK(overtaken(crash) == std::vector<std::int64_t>{1});
}

TEST_CASE("what fails because of its bytes is tried twice for a cloud, and as often as a person likes") {
    const auto failed = [](std::int64_t id, ErrorCode code, const char* version = "2.0.0",
                           const char* provider = "ali") {
        JobRecord record = a_job(id, JobState::failed, version, provider);
        record.error = Error{code, "", ""};
        return record;
    };
    using K = Admission::Kind;
    using C = ErrorCode;
    struct PastRow {
        const char* name;
        std::vector<JobRecord> failures;
        bool report_pending;
        K kind;
    };
    const PastRow rows[] = {
        {"never failed", {}, false, K::create},
        {"failed once", {failed(1, C::trial_failed)}, false, K::create},
        {"failed twice", {failed(2, C::trial_failed), failed(1, C::trial_failed)}, false, K::refuse},
        {"failed twice, the cloud is being told",
         {failed(2, C::trial_failed), failed(1, C::trial_failed)},
         true,
         K::ignore},
        {"failed in two ways",
         {failed(2, C::version_mismatch), failed(1, C::trial_failed)},
         false,
         K::refuse},
        {"another version failed in between",
         {failed(3, C::trial_failed), failed(2, C::trial_failed, "1.9.0"), failed(1, C::trial_failed)},
         false,
         K::refuse},
        {"only another version fails",
         {failed(2, C::trial_failed, "1.9.0"), failed(1, C::trial_failed, "1.9.0")},
         false,
         K::create},
        {"it failed for another cloud",
         {failed(2, C::trial_failed, "2.0.0", "tencent"), failed(1, C::trial_failed, "2.0.0", "tencent")},
         false,
         K::create},
        {"the network was away",
         {failed(3, C::attempts_exhausted), failed(2, C::disk_full), failed(1, C::url_expired)},
         false,
         K::create},
    };
    for (const PastRow& row : rows) {
        INFO(row.name);
        JobRecord wanted = failed(0, C::internal);
        wanted.state = JobState::queued;
        wanted.error.reset();
        Past past{{}, row.failures, row.report_pending};
        if (!row.failures.empty()) past.last_finished = row.failures.front();
        const Admission admission = admit(wanted, {}, past, {});
        CHECK(admission.kind == row.kind);
        if (row.kind == K::refuse) CHECK(admission.job == row.failures.front().id);
        wanted.source_kind = SourceKind::local;
        CHECK(admit(wanted, {}, past, {}).kind == K::create);
    }
}
