// The life of a job, row by row, and its promises over every pair of state and event.
#include "daemon/job/job_fsm.hpp"

#include <catch2/catch.hpp>
#include <vector>

using namespace mcuota;
using namespace mcuota::job;
using db::SourceKind;
using db::WaitReason;

namespace {

constexpr std::array kAllEvents{EventKind::turn,          EventKind::resumed,     EventKind::downloaded,
                                EventKind::verified,      EventKind::sent,        EventKind::trial_began,
                                EventKind::restore_began, EventKind::reported,    EventKind::step_failed,
                                EventKind::timer,         EventKind::fresh_offer, EventKind::cancel,
                                EventKind::retry,         EventKind::superseded};
static_assert(kAllEvents.size() == kEventKinds);

const Limits kLimits{3, 1'000, 8'000, 5'000};
const std::string kWanted(64, 'a'), kOther(64, 'b');

Error transient() {
    return {ErrorCode::device_silent, "silent", "check the cable"};
}
Error expired() {
    return {ErrorCode::url_expired, "403", ""};
}
Error fatal() {
    return {ErrorCode::signature_invalid, "bad signature", "sign it"};
}
Error by_operator() {
    return {ErrorCode::disk_full, "full", "free space"};
}

JobRecord at(JobState state, std::uint32_t attempts = 1) {
    JobRecord job;
    job.id = 7;
    job.device = "pump-1";
    job.state = state;
    job.attempts = attempts;
    job.to_version = "2.0.0";
    job.image_sha256 = kWanted;
    if (state == JobState::waiting) {
        job.resume_state = JobState::downloading;
        job.wait_reason = WaitReason::backoff;
    }
    return job;
}

JobRecord waiting(JobState resume, WaitReason reason, std::uint32_t attempts = 1) {
    JobRecord job = at(JobState::waiting, attempts);
    job.resume_state = resume;
    job.wait_reason = reason;
    return job;
}

Event happens(EventKind kind) {
    Event event{.kind = kind};
    event.who = "anna";
    event.token = 42;
    return event;
}
Event fails(Error error) {
    Event event = happens(EventKind::step_failed);
    event.error = std::move(error);
    return event;
}
Event reports(Status status, bool confirmed, const std::string& sha256) {
    Event event = happens(EventKind::reported);
    event.report = {status, confirmed, sha256, "1.0.0"};
    if (status == Status::unknown_token) event.error = Error{ErrorCode::device_refused, "unknown", ""};
    if (status == Status::trial_not_confirmed)
        event.error = Error{ErrorCode::trial_failed, "not confirmed", "look"};
    if (status == Status::payload_hash_mismatch) event.error = transient();
    return event;
}

/// The device refused payload `index` of a package that holds another one.
Event refuses(EventKind kind, std::int32_t index) {
    Event event = happens(kind);
    event.error = Error{ErrorCode::no_fitting_payload, "another base", "", 0x020F};
    event.report = {Status::base_mismatch, true, kOther, "1.0.0"};
    event.other_payload = true;
    event.payload_index = index;
    return event;
}

Decision ask(const JobRecord& job, const Event& event) {
    return decide(job, event, kLimits, {1'000'000, 512});
}

struct Row {
    const char* name;
    JobRecord job;
    Event event;
    JobState next;
    Act act;
    Tell tell;
};

JobRecord cached(JobRecord job) {
    job.package_sha256 = kOther;
    return job;
}
JobRecord refused_before(JobRecord job, std::uint32_t payloads) {
    job.payloads_refused = payloads;
    return job;
}
JobRecord local(JobRecord job) {
    job.source_kind = SourceKind::local;
    return job;
}
JobRecord going_back(JobRecord job) {
    job.goal = db::JobGoal::rollback;
    return local(std::move(job));
}

}  // namespace

TEST_CASE("the life of a job goes as the table says") {
    using S = JobState;
    using E = EventKind;
    const std::vector<Row> rows = {
        {"begins with the download", at(S::queued, 0), happens(E::turn), S::downloading, Act::download,
         Tell::nothing},
        {"begins with the cached package", cached(at(S::queued, 0)), happens(E::turn), S::verifying,
         Act::verify, Tell::nothing},
        {"goes back without a download", going_back(at(S::queued, 0)), happens(E::turn), S::sending,
         Act::send, Tell::nothing},
        {"backup found", going_back(at(S::sending)), happens(E::sent), S::installing, Act::install,
         Tell::nothing},
        {"putting the backup back is what was asked for", going_back(at(S::installing)),
         happens(E::restore_began), S::installing, Act::none, Tell::nothing},
        {"went back", going_back(at(S::installing)), reports(Status::rolled_back, true, kWanted),
         S::succeeded, Act::none, Tell::version},
        {"could not go back", going_back(at(S::installing)),
         reports(Status::trial_not_confirmed, true, kOther), S::failed, Act::none, Tell::failure},
        {"downloaded", at(S::downloading), happens(E::downloaded), S::verifying, Act::verify, Tell::nothing},
        {"verified", at(S::verifying), happens(E::verified), S::sending, Act::send, Tell::nothing},
        {"sent", at(S::sending), happens(E::sent), S::installing, Act::install, Tell::nothing},
        {"runs already", at(S::sending), reports(Status::ok, true, kWanted), S::succeeded, Act::none,
         Tell::version},
        {"trial begins", at(S::installing), happens(E::trial_began), S::trial, Act::none, Tell::nothing},
        {"confirmed", at(S::trial), reports(Status::ok, true, kWanted), S::succeeded, Act::none,
         Tell::version},
        {"confirmed before trial was seen", at(S::installing), reports(Status::ok, true, kWanted),
         S::succeeded, Act::none, Tell::version},
        {"outcome forgotten, but the image runs", at(S::installing),
         reports(Status::unknown_token, true, kWanted), S::succeeded, Act::none, Tell::version},
        {"restore begins", at(S::trial), happens(E::restore_began), S::reverting, Act::none, Tell::nothing},
        {"trial failed", at(S::reverting), reports(Status::trial_not_confirmed, true, kOther), S::failed,
         Act::none, Tell::failure},
        {"ok, but another image", at(S::trial), reports(Status::ok, true, kOther), S::failed, Act::none,
         Tell::failure},
        {"ok, but still on trial", at(S::trial), reports(Status::ok, false, kWanted), S::failed, Act::none,
         Tell::failure},
        {"the device never heard of it", at(S::installing), reports(Status::unknown_token, true, kOther),
         S::sending, Act::send, Tell::nothing},
        {"never heard of it once too often", at(S::installing, 3),
         reports(Status::unknown_token, true, kOther), S::failed, Act::none, Tell::failure},
        {"the staged bytes were damaged", at(S::installing),
         reports(Status::payload_hash_mismatch, true, kOther), S::sending, Act::send, Tell::nothing},
        {"a payload is refused at the end of its transfer", at(S::sending), refuses(E::step_failed, 1),
         S::sending, Act::send, Tell::nothing},
        {"the same with all attempts used", at(S::sending, 3), refuses(E::step_failed, 1), S::sending,
         Act::send, Tell::nothing},
        {"a payload is refused by INSTALL", at(S::installing), refuses(E::step_failed, 1), S::sending,
         Act::send, Tell::nothing},
        {"a payload is refused in rehearsal", at(S::installing), refuses(E::reported, 2), S::sending,
         Act::send, Tell::nothing},
        {"a payload that was refused before is not tried again", refused_before(at(S::sending), 0b10),
         refuses(E::step_failed, 1), S::failed, Act::none, Tell::failure},
        {"network away", at(S::downloading), fails(transient()), S::waiting, Act::wait, Tell::nothing},
        {"network away once too often", at(S::downloading, 3), fails(transient()), S::failed, Act::none,
         Tell::failure},
        {"device silent while sending", at(S::sending), fails(transient()), S::waiting, Act::wait,
         Tell::nothing},
        {"device silent after INSTALL", at(S::installing), fails(transient()), S::waiting, Act::wait,
         Tell::nothing},
        {"address expired", at(S::downloading), fails(expired()), S::waiting, Act::ask_url, Tell::nothing},
        {"address expired, nobody to ask", local(at(S::downloading)), fails(expired()), S::failed, Act::none,
         Tell::failure},
        {"address expired once too often", at(S::downloading, 3), fails(expired()), S::failed, Act::none,
         Tell::failure},
        {"bad signature", at(S::verifying), fails(fatal()), S::failed, Act::none, Tell::failure},
        {"disk full", at(S::downloading), fails(by_operator()), S::failed, Act::none, Tell::failure},
        {"pause over", waiting(S::sending, WaitReason::backoff), happens(E::timer), S::sending, Act::send,
         Tell::nothing},
        {"pause over after INSTALL", waiting(S::trial, WaitReason::backoff), happens(E::timer), S::trial,
         Act::follow, Tell::nothing},
        {"no fresh address yet", waiting(S::downloading, WaitReason::new_url), happens(E::timer), S::waiting,
         Act::ask_url, Tell::nothing},
        {"no fresh address at all", waiting(S::downloading, WaitReason::new_url, 3), happens(E::timer),
         S::failed, Act::none, Tell::failure},
        {"fresh address", waiting(S::downloading, WaitReason::new_url), happens(E::fresh_offer),
         S::downloading, Act::download, Tell::nothing},
        {"offered again during the download", at(S::downloading), happens(E::fresh_offer), S::downloading,
         Act::none, Tell::nothing},
        {"told not to wait", waiting(S::sending, WaitReason::backoff), happens(E::retry), S::sending,
         Act::send, Tell::nothing},
        {"restart while downloading", at(S::downloading), happens(E::resumed), S::downloading, Act::download,
         Tell::nothing},
        {"restart while verifying", at(S::verifying), happens(E::resumed), S::verifying, Act::verify,
         Tell::nothing},
        {"restart while sending", at(S::sending), happens(E::resumed), S::sending, Act::send, Tell::nothing},
        {"restart while installing", at(S::installing), happens(E::resumed), S::installing, Act::follow,
         Tell::nothing},
        {"restart during the trial", at(S::trial), happens(E::resumed), S::trial, Act::follow, Tell::nothing},
        {"restart while reverting", at(S::reverting), happens(E::resumed), S::reverting, Act::follow,
         Tell::nothing},
        {"restart during a pause", waiting(S::sending, WaitReason::backoff), happens(E::resumed), S::waiting,
         Act::wait, Tell::nothing},
        {"restart while an address is awaited", waiting(S::downloading, WaitReason::new_url),
         happens(E::resumed), S::waiting, Act::ask_url, Tell::nothing},
        {"cancelled in the queue", at(S::queued, 0), happens(E::cancel), S::cancelled, Act::stop,
         Tell::failure},
        {"cancelled while sending", at(S::sending), happens(E::cancel), S::cancelled, Act::stop,
         Tell::failure},
        {"replaced", at(S::downloading), happens(E::superseded), S::cancelled, Act::stop, Tell::nothing},
        {"started over", at(S::failed, 3), happens(E::retry), S::queued, Act::none, Tell::nothing},
        {"started over after cancelling", at(S::cancelled), happens(E::retry), S::queued, Act::none,
         Tell::nothing},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const Decision decision = ask(row.job, row.event);
        CHECK(decision.after.state == row.next);
        CHECK(decision.act == row.act);
        CHECK(decision.tell == row.tell);
        CHECK_FALSE(decision.refusal);
        if (row.next != row.job.state) {
            CHECK(decision.persist);
            CHECK_FALSE(decision.reason.empty());
        }
        if (row.next == JobState::failed) {
            REQUIRE(decision.after.error);
            CHECK_FALSE(decision.after.error->what.empty());
            const std::string code(to_string(decision.after.error->code));
            CHECK((row.event.kind == E::timer || decision.reason.find(code) != std::string::npos));
        }
    }
}

TEST_CASE("over every state and event the promises hold") {
    std::vector<JobRecord> jobs;
    for (const JobState state : db::kJobStates)
        for (const std::uint32_t attempts : {0U, 1U, 3U, 9U})
            for (const SourceKind source : {SourceKind::cloud, SourceKind::local}) {
                if (state == JobState::waiting) {
                    for (const JobState resume :
                         {JobState::downloading, JobState::sending, JobState::installing})
                        for (const WaitReason reason : {WaitReason::backoff, WaitReason::new_url})
                            jobs.push_back(waiting(resume, reason, attempts));
                } else {
                    jobs.push_back(at(state, attempts));
                }
                jobs.back().source_kind = source;
            }
    std::vector<Event> events;
    for (const EventKind kind : kAllEvents) {
        if (kind == EventKind::step_failed || kind == EventKind::reported)
            for (const std::int32_t index : {-1, 0, 15, 31, 99})
                events.push_back(refuses(kind, index));
        if (kind == EventKind::step_failed)
            for (const Error& error : {transient(), expired(), fatal(), by_operator()})
                events.push_back(fails(error));
        else if (kind == EventKind::reported)
            for (const Status status : {Status::ok, Status::unknown_token, Status::trial_not_confirmed,
                                        Status::payload_hash_mismatch, Status::in_progress})
                for (const bool confirmed : {false, true})
                    for (const std::string& sha256 : {kWanted, kOther})
                        events.push_back(reports(status, confirmed, sha256));
        else
            events.push_back(happens(kind));
    }
    for (const JobRecord& job : jobs)
        for (const Event& event : events) {
            INFO(to_string(job.state) << " + " << to_string(event.kind) << ", attempts " << job.attempts);
            const Decision decision = ask(job, event);
            const JobRecord& after = decision.after;
            const bool moved = after.state != job.state;
            if (moved) {
                CHECK(decision.persist);
                CHECK_FALSE(decision.reason.empty());
            }
            if (!decision.persist) CHECK((after.state == job.state && after.attempts == job.attempts));
            if (decision.tell != Tell::nothing) CHECK(decision.persist);
            if (decision.refusal)
                CHECK((!decision.persist && decision.act == Act::none && !decision.refusal->what.empty()));
            // Success only from the device's own words.
            if (moved && after.state == JobState::succeeded) {
                CHECK(event.kind == EventKind::reported);
                CHECK(event.report.confirmed);
                CHECK(event.report.running_sha256 == kWanted);
                CHECK(decision.tell == Tell::version);
            }
            // Installing only with a written token.
            if (decision.act == Act::install) CHECK((decision.persist && after.install_token == 42));
            // What was asked of the device is the device's to end.
            if (device_decides(job) &&
                (event.kind == EventKind::cancel || event.kind == EventKind::superseded))
                CHECK((decision.refusal && !moved));
            if (db::is_finished(job.state) && event.kind != EventKind::retry) CHECK_FALSE(moved);
            if (job.state == JobState::succeeded) CHECK_FALSE(moved);
            // Bounded: beyond the limit nothing is tried again but by a person or a fresh offer.
            const bool tries =
                decision.act == Act::wait || decision.act == Act::ask_url || decision.act == Act::send;
            const bool again = event.kind == EventKind::step_failed || event.kind == EventKind::reported;
            if (again && tries && !event.other_payload) CHECK(job.attempts < kLimits.attempts_max);
            // A payload is refused once; without one that was not, the job does not fall back.
            const bool fell_back = after.payloads_refused != job.payloads_refused;
            if (fell_back)
                CHECK((event.other_payload && after.state == JobState::sending &&
                       after.payloads_refused > job.payloads_refused && after.install_token == 0));
            if (after.state == JobState::waiting) CHECK(after.wait_reason != WaitReason::none);
            if (moved && after.state != JobState::waiting) CHECK(after.wait_until_ms == 0);
            if (after.state == JobState::failed && moved) CHECK(after.error);
        }
}

TEST_CASE("a job whose every step fails ends after the allowed attempts") {
    JobRecord job = at(JobState::queued, 0);
    int stores = 0;
    Event event = happens(EventKind::turn);
    while (!db::is_finished(job.state) && stores < 100) {
        const Decision decision = ask(job, event);
        job = decision.after;
        stores += decision.persist ? 1 : 0;
        event = job.state == JobState::waiting ? happens(EventKind::timer) : fails(transient());
    }
    CHECK(job.state == JobState::failed);
    CHECK(job.attempts == kLimits.attempts_max);
    CHECK(job.error->code == ErrorCode::attempts_exhausted);
    CHECK(job.error->what.find("silent") != std::string::npos);
    CHECK(stores == 6);  // begin, fail, again, fail, again, fail for good
}

TEST_CASE("a device that never hears of its installation does not keep the job forever") {
    JobRecord job = at(JobState::sending);
    for (int i = 0; i < 100 && !db::is_finished(job.state); ++i) {
        const Event event = job.state == JobState::sending ? happens(EventKind::sent)
                                                           : reports(Status::unknown_token, true, kOther);
        job = ask(job, event).after;
    }
    CHECK(job.state == JobState::failed);
}

TEST_CASE("a job falls back over every payload of its package once, then fails with the last reason") {
    JobRecord job = at(JobState::sending);
    for (std::int32_t index = 0; index < 16; ++index) {
        const Decision decision = ask(job, refuses(EventKind::step_failed, index));
        CHECK(decision.persist);
        CHECK(decision.reason.find("another base") != std::string::npos);
        CHECK(decision.after.error);
        job = decision.after;
    }
    CHECK(job.payloads_refused == 0xFFFF);
    CHECK(job.attempts == 17);
    CHECK(ask(job, refuses(EventKind::step_failed, 3)).after.state == JobState::failed);
    Event over = happens(EventKind::retry);
    job.state = JobState::failed;
    CHECK(ask(job, over).after.payloads_refused == 0);
}

TEST_CASE("a cloud that knows only expired addresses does not keep the job forever") {
    JobRecord job = at(JobState::downloading);
    int asked = 0;
    for (; asked < 100 && !db::is_finished(job.state); ++asked)
        job = ask(job, job.state == JobState::waiting ? happens(EventKind::fresh_offer) : fails(expired()))
                  .after;
    CHECK(job.state == JobState::failed);
    CHECK(asked < 10);
}

TEST_CASE("pauses double up to the limit, with a fifth of jitter") {
    const Limits limits{20, 1'000, 60'000, 1};
    CHECK(backoff_ms(limits, 1, 512) == 1'000);
    CHECK(backoff_ms(limits, 2, 512) == 2'000);
    CHECK(backoff_ms(limits, 5, 512) == 16'000);
    CHECK(backoff_ms(limits, 30, 512) == 60'000);
    CHECK(backoff_ms(limits, 1, 0) == 800);
    CHECK(backoff_ms(limits, 1, 1023) < 1'200);
    CHECK(backoff_ms({20, 86'400'000, 86'400'000, 1}, 1000, 1023) <= 86'400'000ULL * 6 / 5);
}

TEST_CASE("refusals say why") {
    CHECK(ask(at(JobState::installing), happens(EventKind::cancel)).refusal->what.find("too late") !=
          std::string::npos);
    CHECK(ask(waiting(JobState::trial, WaitReason::backoff), happens(EventKind::cancel)).refusal->code ==
          ErrorCode::wrong_state);
    CHECK(ask(at(JobState::succeeded), happens(EventKind::retry)).refusal->what.find("succeeded") !=
          std::string::npos);
    CHECK(ask(at(JobState::sending), happens(EventKind::retry)).refusal->what.find("under way") !=
          std::string::npos);
    CHECK(ask(at(JobState::failed), happens(EventKind::cancel)).refusal->what.find("finished") !=
          std::string::npos);
}

TEST_CASE("starting over forgets the last life, but not the wish for a full image") {
    JobRecord job = cached(at(JobState::failed, 3));
    job.error = fatal();
    job.install_token = 5;
    job.finished_at_ms = 1;
    Event event = happens(EventKind::retry);
    event.full = true;
    JobRecord after = ask(job, event).after;
    CHECK(after.attempts == 0);
    CHECK(after.install_token == 0);
    CHECK(after.full_only);
    CHECK_FALSE(after.error);
    CHECK_FALSE(after.finished_at_ms);
    CHECK(after.package_sha256 == kOther);
    event.package_gone = true;
    CHECK(ask(job, event).after.package_sha256.empty());
}
