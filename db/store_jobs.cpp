// The jobs, transitions and downloads tables.
#include <bit>

#include "db/store_impl.hpp"

namespace mcuota::db {
namespace {

constexpr const char* kColumns =
    "id, device, hardware, module, source_kind, provider, request_id, state, resume_state, wait_reason, "
    "wait_until_ms, attempts, full_only, from_version, to_version, url, size_bytes, digest_kind, digest_hex, "
    "digest_sign, is_diff, package_sha256, image_sha256, payload_kind, payload_bytes, install_token, "
    "told_percent, "
    "error_code, error_what, error_next, error_device_status, created_at_ms, updated_at_ms, finished_at_ms, "
    "payload_index, payloads_refused, percent, goal";
constexpr const char* kUnfinished = "state NOT IN (7, 9, 10)";
static_assert(static_cast<int>(JobState::succeeded) == 7 && static_cast<int>(JobState::failed) == 9 &&
              static_cast<int>(JobState::cancelled) == 10);

JobRecord read_job(const Row& row) {
    JobRecord job;
    job.id = row.integer(0);
    job.device = row.text(1);
    job.hardware = row.text(2);
    job.module = row.text(3);
    job.source_kind = row.number<SourceKind>(4);
    job.provider = row.text(5);
    job.request_id = row.text(6);
    job.state = row.number<JobState>(7);
    job.resume_state = row.number<JobState>(8);
    job.wait_reason = row.number<WaitReason>(9);
    job.wait_until_ms = row.integer(10);
    job.attempts = row.number<std::uint32_t>(11);
    job.full_only = row.integer(12) != 0;
    job.from_version = row.text(13);
    job.to_version = row.text(14);
    job.url = row.text(15);
    job.size_bytes = row.number<std::uint64_t>(16);
    job.digest_kind = row.number<std::uint8_t>(17);
    job.digest_hex = row.text(18);
    job.digest_sign = row.text(19);
    job.is_diff = row.integer(20) != 0;
    job.package_sha256 = row.text(21);
    job.image_sha256 = row.text(22);
    job.payload_kind = row.text(23);
    job.payload_bytes = row.number<std::uint64_t>(24);
    job.install_token = std::bit_cast<std::uint64_t>(row.integer(25));
    job.told_percent = row.number<std::uint8_t>(26);
    job.error = read_error(row, 27);
    job.created_at_ms = row.integer(31);
    job.updated_at_ms = row.integer(32);
    job.finished_at_ms = row.optional_integer(33);
    job.payload_index = row.number<std::int32_t>(34);
    job.payloads_refused = row.number<std::uint32_t>(35);
    job.percent = row.number<std::uint8_t>(36);
    job.goal = row.number<JobGoal>(37);
    return job;
}

template <class... Values>
Result<std::vector<JobRecord>> select_jobs(Database& database, const std::string& rest,
                                           const Values&... values) {
    std::vector<JobRecord> jobs;
    Result<void> read = database.each(
        std::string("SELECT ") + kColumns + " FROM jobs " + rest,
        [&](const Row& row) { jobs.push_back(read_job(row)); }, values...);
    if (!read) return std::move(read).error();
    return jobs;
}

Result<std::optional<JobRecord>> first(Result<std::vector<JobRecord>> jobs) {
    if (!jobs) return std::move(jobs).error();
    if (jobs->empty()) return std::optional<JobRecord>();
    return std::optional(std::move(jobs->front()));
}

std::optional<TimeMs> finished_at(const JobRecord& job, TimeMs now_ms) {
    if (!is_finished(job.state)) return std::nullopt;
    return job.finished_at_ms ? job.finished_at_ms : now_ms;
}

}  // namespace

Result<void> Store::Impl::write_transition(std::int64_t job, std::optional<JobState> from, JobState to,
                                           const std::string& reason, TimeMs now_ms) {
    return database.run(
        "INSERT INTO transitions (job, at_ms, from_state, to_state, reason) VALUES (?, ?, ?, ?, ?)", job,
        now_ms, from, to, reason);
}

Result<std::int64_t> Store::insert_job(const JobRecord& job, const std::string& reason,
                                       const std::optional<AuditRecord>& audit, TimeMs now_ms) {
    std::int64_t id = 0;
    const std::optional<Error>& error = job.error;
    Result<void> written = impl_->transaction([&]() -> Result<void> {
        Result<void> done = impl_->database.run(
            "INSERT INTO jobs (device, hardware, module, source_kind, provider, request_id, state, "
            "resume_state, "
            "wait_reason, wait_until_ms, attempts, full_only, from_version, to_version, url, size_bytes, "
            "digest_kind, "
            "digest_hex, digest_sign, is_diff, package_sha256, image_sha256, payload_kind, payload_bytes, "
            "install_token, told_percent, error_code, error_what, error_next, error_device_status, "
            "created_at_ms, "
            "updated_at_ms, finished_at_ms, payload_index, payloads_refused, percent, goal) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
            "?, ?, ?, "
            "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            job.device, job.hardware, job.module, job.source_kind, job.provider, job.request_id, job.state,
            job.resume_state, job.wait_reason, job.wait_until_ms, job.attempts, job.full_only,
            job.from_version, job.to_version, job.url, job.size_bytes, job.digest_kind, job.digest_hex,
            job.digest_sign, job.is_diff, job.package_sha256, job.image_sha256, job.payload_kind,
            job.payload_bytes, std::bit_cast<std::int64_t>(job.install_token), job.told_percent,
            error_number(error), error ? error->what : std::string(), error ? error->next : std::string(),
            error ? error->device_status : std::uint16_t{0}, now_ms, now_ms, finished_at(job, now_ms),
            job.payload_index, job.payloads_refused, job.percent, job.goal);
        if (!done) return done;
        id = impl_->database.last_insert_id();
        done = impl_->write_transition(id, std::nullopt, job.state, reason, now_ms);
        if (!done || !audit) return done;
        AuditRecord entry = *audit;
        entry.job = id;
        return impl_->write_audit(entry, now_ms);
    });
    if (!written) return std::move(written).error();
    return id;
}

Result<void> Store::change_job(const JobChange& change, TimeMs now_ms) {
    const JobRecord& job = change.after;
    const std::optional<Error>& error = job.error;
    return impl_->transaction([&]() -> Result<void> {
        Result<void> done = impl_->database.run(
            "UPDATE jobs SET request_id = ?, state = ?, resume_state = ?, wait_reason = ?, wait_until_ms = "
            "?, "
            "attempts = ?, full_only = ?, from_version = ?, to_version = ?, url = ?, size_bytes = ?, "
            "digest_kind = ?, "
            "digest_hex = ?, digest_sign = ?, is_diff = ?, package_sha256 = ?, image_sha256 = ?, "
            "payload_kind = ?, "
            "payload_bytes = ?, install_token = ?, told_percent = ?, error_code = ?, error_what = ?, "
            "error_next = ?, "
            "error_device_status = ?, updated_at_ms = ?, finished_at_ms = ?, payload_index = ?, "
            "payloads_refused = ?, percent = ? WHERE id = ? AND state = ?",
            job.request_id, job.state, job.resume_state, job.wait_reason, job.wait_until_ms, job.attempts,
            job.full_only, job.from_version, job.to_version, job.url, job.size_bytes, job.digest_kind,
            job.digest_hex, job.digest_sign, job.is_diff, job.package_sha256, job.image_sha256,
            job.payload_kind, job.payload_bytes, std::bit_cast<std::int64_t>(job.install_token),
            job.told_percent, error_number(error), error ? error->what : std::string(),
            error ? error->next : std::string(), error ? error->device_status : std::uint16_t{0}, now_ms,
            finished_at(job, now_ms), job.payload_index, job.payloads_refused, job.percent, job.id,
            change.from);
        if (!done) return done;
        if (impl_->database.changes() != 1)
            return Error{
                ErrorCode::internal,
                "job " + std::to_string(job.id) + " is no longer " + std::string(to_string(change.from)),
                "look at it: mcuota job show " + std::to_string(job.id)};
        if (!change.reason.empty()) {
            done = impl_->write_transition(job.id, change.from, job.state, change.reason, now_ms);
            if (!done) return done;
        }
        if (change.device) {
            done = impl_->write_device(*change.device);
            if (!done) return done;
        }
        if (change.audit) {
            done = impl_->write_audit(*change.audit, now_ms);
            if (!done) return done;
        }
        return impl_->write_outbox(change.outbox, now_ms);
    });
}

Result<std::optional<JobRecord>> Store::job(std::int64_t id) {
    const std::lock_guard lock(impl_->mutex);
    return first(select_jobs(impl_->database, "WHERE id = ?", id));
}

Result<std::vector<JobRecord>> Store::jobs(const JobQuery& query) {
    const std::lock_guard lock(impl_->mutex);
    // The optional conditions cannot use an index; what is asked for is spelt out, too. A time bounds the
    // walk by what has happened since, however few of those jobs fit the rest.
    std::string where = query.since_ms ? "INDEXED BY jobs_by_creation WHERE created_at_ms >= ?2 AND "
                                       : "WHERE (?2 IS NULL OR created_at_ms >= ?2) AND ";
    where += "(?1 = '' OR device = ?1)";
    if (!query.device.empty()) where += " AND device = ?1";
    if (!query.states.empty()) {
        where += " AND state IN (";
        for (std::size_t i = 0; i < query.states.size(); ++i)
            where += (i == 0 ? "" : ", ") + std::to_string(static_cast<int>(query.states[i]));
        where += ")";
    }
    where += query.since_ms ? " ORDER BY created_at_ms DESC, id DESC LIMIT ?3" : " ORDER BY id DESC LIMIT ?3";
    return select_jobs(impl_->database, where, query.device, query.since_ms, std::int64_t{query.limit});
}

Result<std::vector<JobRecord>> Store::unfinished_jobs() {
    const std::lock_guard lock(impl_->mutex);
    return select_jobs(impl_->database, std::string("WHERE ") + kUnfinished + " ORDER BY id");
}

Result<std::vector<JobRecord>> Store::open_failures(std::uint32_t limit) {
    const std::lock_guard lock(impl_->mutex);
    // Per device only the ids beyond its last success matter: one index look-up each.
    return select_jobs(impl_->database,
                       "WHERE state = 9 AND id > coalesce((SELECT max(good.id) FROM jobs AS good "
                       "WHERE good.device = jobs.device AND good.state = 7), 0) ORDER BY id DESC LIMIT ?",
                       std::int64_t{limit});
}

Result<std::optional<JobRecord>> Store::last_finished(const std::string& device, SourceKind kind,
                                                      const std::string& provider,
                                                      const std::string& module) {
    const std::lock_guard lock(impl_->mutex);
    return first(select_jobs(impl_->database,
                             "WHERE device = ? AND source_kind = ? AND provider = ? AND module = ? "
                             "AND state IN (7, 9, 10) ORDER BY id DESC LIMIT 1",
                             device, kind, provider, module));
}

Result<std::vector<JobRecord>> Store::failures(const std::string& device, std::uint32_t limit) {
    const std::lock_guard lock(impl_->mutex);
    return select_jobs(impl_->database, "WHERE state = 9 AND device = ? ORDER BY id DESC LIMIT ?", device,
                       std::int64_t{limit});
}

Result<std::vector<TransitionRecord>> Store::transitions(std::int64_t job) {
    const std::lock_guard lock(impl_->mutex);
    std::vector<TransitionRecord> transitions;
    Result<void> read = impl_->database.each(
        "SELECT at_ms, from_state, to_state, reason FROM transitions WHERE job = ? ORDER BY id",
        [&](const Row& row) {
            TransitionRecord transition{row.integer(0), std::nullopt, row.number<JobState>(2), row.text(3)};
            if (!row.null(1)) transition.from = row.number<JobState>(1);
            transitions.push_back(std::move(transition));
        },
        job);
    if (!read) return std::move(read).error();
    return transitions;
}

Result<JobCounts> Store::job_counts() {
    const std::lock_guard lock(impl_->mutex);
    JobCounts counts;
    Result<void> read =
        impl_->database.each("SELECT state, count(*) FROM jobs GROUP BY state", [&](const Row& row) {
            const auto count = row.number<std::uint64_t>(1);
            switch (row.number<JobState>(0)) {
                case JobState::succeeded:
                    counts.succeeded += count;
                    break;
                case JobState::failed:
                    counts.failed += count;
                    break;
                case JobState::cancelled:
                    counts.cancelled += count;
                    break;
                default:
                    counts.unfinished += count;
                    break;
            }
        });
    if (!read) return std::move(read).error();
    return counts;
}

Result<std::optional<DownloadRecord>> Store::download(std::int64_t job) {
    const std::lock_guard lock(impl_->mutex);
    std::optional<DownloadRecord> mark;
    Result<void> read = impl_->database.each(
        "SELECT offset_bytes, etag, digest_state FROM downloads WHERE job = ?",
        [&](const Row& row) {
            mark = DownloadRecord{row.number<std::uint64_t>(0), row.text(1), row.text(2)};
        },
        job);
    if (!read) return std::move(read).error();
    return mark;
}

Result<void> Store::save_download(std::int64_t job, const DownloadRecord& mark, TimeMs now_ms) {
    return impl_->transaction([&]() -> Result<void> {
        return impl_->database.run(
            "INSERT INTO downloads (job, offset_bytes, etag, digest_state, updated_at_ms) VALUES (?, ?, ?, "
            "?, ?) "
            "ON CONFLICT (job) DO UPDATE SET offset_bytes = excluded.offset_bytes, etag = excluded.etag, "
            "digest_state = excluded.digest_state, updated_at_ms = excluded.updated_at_ms",
            job, mark.offset_bytes, mark.etag, mark.digest_state, now_ms);
    });
}

Result<void> Store::drop_download(std::int64_t job) {
    return impl_->transaction(
        [&]() -> Result<void> { return impl_->database.run("DELETE FROM downloads WHERE job = ?", job); });
}

}  // namespace mcuota::db
