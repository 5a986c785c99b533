// The life cycle table, and the one function that reads it.
#include "daemon/job/job_fsm.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace mcuota::job {
namespace {

// Sets of states.
using States = std::uint16_t;
constexpr States set(JobState state) {
    return static_cast<States>(1U << static_cast<unsigned>(state));
}
constexpr States Q = set(JobState::queued), D = set(JobState::downloading), V = set(JobState::verifying),
                 W = set(JobState::waiting), S = set(JobState::sending), I = set(JobState::installing),
                 T = set(JobState::trial), R = set(JobState::reverting), OK = set(JobState::succeeded),
                 F = set(JobState::failed), X = set(JobState::cancelled);
constexpr States ITR = I | T | R;

// Where a row leads.
enum class Next : std::uint8_t {
    same,
    downloading,
    verifying,
    sending,
    installing,
    trial,
    reverting,
    backoff,  // waiting for a pause to end, then back to the present state
    new_url,  // waiting for a fresh address, then downloading
    resume,   // out of waiting, to where it came from
    queued,
    succeeded,
    failed,
    cancelled,
};

enum class Guard : std::uint8_t {
    always,
    going_back,  // the job asks for the backup image; nothing is fetched
    cached,      // the package is in the cache already
    transient,   // the error may pass, and attempts are left
    expired,     // the address has expired, a cloud can give another, and attempts are left
    runs,        // the device runs the wanted image, confirmed
    unheard,     // the device has never heard of the installation, and attempts are left
    resendable,  // the device's reason may pass, and attempts are left
    fallback,    // the device refused this payload, another one is left
    flashing,    // waiting, but the device was asked to install already
    for_pause,   // waiting for a pause to end
    url_again,   // waiting for an address, and attempts are left
    for_url,     // waiting for an address
};

struct Row {
    States states;
    EventKind event;
    Guard guard;
    Next next;
    Act act;
    Tell tell;
    const char* reason;  // nullptr: nothing is written; "": written without a line in the job's life
};

using E = EventKind;
using G = Guard;
using N = Next;

// First fitting row wins. "*" stands for the error's or the device's own words.
// clang-format off
constexpr Row kTable[] = {
    // states     event             guard          next            act            tell           reason
    {Q,           E::turn,          G::going_back, N::sending,     Act::send,     Tell::nothing, "its turn; the image is on the device"},
    {Q,           E::turn,          G::cached,     N::verifying,   Act::verify,   Tell::nothing, "its turn; the package is in the cache"},
    {Q,           E::turn,          G::always,     N::downloading, Act::download, Tell::nothing, "its turn"},

    {D,           E::resumed,       G::always,     N::same,        Act::download, Tell::nothing, nullptr},
    {D,           E::downloaded,    G::always,     N::verifying,   Act::verify,   Tell::nothing, "complete; size and digest are right"},

    {V,           E::resumed,       G::always,     N::same,        Act::verify,   Tell::nothing, nullptr},
    {V,           E::verified,      G::always,     N::sending,     Act::send,     Tell::nothing, "signed by a trusted key, for this hardware"},

    {S,           E::resumed,       G::always,     N::same,        Act::send,     Tell::nothing, nullptr},
    {S,           E::sent,          G::going_back, N::installing,  Act::install,  Tell::nothing, "the device holds the image to go back to"},
    {S,           E::sent,          G::always,     N::installing,  Act::install,  Tell::nothing, "the device holds and accepts the package"},
    {S,           E::reported,      G::runs,       N::succeeded,   Act::none,     Tell::version, "the device runs this very image already, confirmed"},

    {ITR,         E::resumed,       G::always,     N::same,        Act::follow,   Tell::nothing, nullptr},
    {I,           E::trial_began,   G::always,     N::trial,       Act::none,     Tell::nothing, "the new image runs on trial"},
    {I,           E::restore_began, G::going_back, N::same,        Act::none,     Tell::nothing, nullptr},
    {I | T,       E::restore_began, G::always,     N::reverting,   Act::none,     Tell::nothing, "the device is putting the old image back"},
    {ITR,         E::reported,      G::runs,       N::succeeded,   Act::none,     Tell::version, "the device reports the wanted image, confirmed"},
    {ITR,         E::reported,      G::unheard,    N::sending,     Act::send,     Tell::nothing, "the device knows nothing of the installation; sending again"},
    {ITR,         E::reported,      G::fallback,   N::sending,     Act::send,     Tell::nothing, "*"},
    {ITR,         E::reported,      G::resendable, N::sending,     Act::send,     Tell::nothing, "*"},
    {ITR,         E::reported,      G::always,     N::failed,      Act::none,     Tell::failure, "*"},

    {S|ITR,       E::step_failed,   G::fallback,   N::sending,     Act::send,     Tell::nothing, "*"},
    {D|V|S|ITR,   E::step_failed,   G::transient,  N::backoff,     Act::wait,     Tell::nothing, "*"},
    {D,           E::step_failed,   G::expired,    N::new_url,     Act::ask_url,  Tell::nothing, "*"},
    {D|V|S|ITR,   E::step_failed,   G::always,     N::failed,      Act::none,     Tell::failure, "*"},

    {W,           E::resumed,       G::for_url,    N::same,        Act::ask_url,  Tell::nothing, nullptr},
    {W,           E::resumed,       G::always,     N::same,        Act::wait,     Tell::nothing, nullptr},
    {W,           E::timer,         G::for_pause,  N::resume,      Act::none,     Tell::nothing, "trying again"},
    {W,           E::timer,         G::url_again,  N::new_url,     Act::ask_url,  Tell::nothing, "the cloud sent no fresh address; asking again"},
    {W,           E::timer,         G::always,     N::failed,      Act::none,     Tell::failure, "the cloud sent no fresh address"},
    {W,           E::retry,         G::for_url,    N::same,        Act::ask_url,  Tell::nothing, "a person asks to go on"},
    {W,           E::retry,         G::always,     N::resume,      Act::none,     Tell::nothing, "a person asks to go on"},
    {W,           E::fresh_offer,   G::for_url,    N::downloading, Act::download, Tell::nothing, "the cloud sent a fresh address"},

    {Q|D|V|W|S|ITR, E::fresh_offer, G::always,     N::same,        Act::none,     Tell::nothing, ""},

    {W,           E::cancel,        G::flashing,   N::same,        Act::none,     Tell::nothing, nullptr},
    {Q|D|V|W|S,   E::cancel,        G::always,     N::cancelled,   Act::stop,     Tell::failure, "cancelled by a person"},
    {W,           E::superseded,    G::flashing,   N::same,        Act::none,     Tell::nothing, nullptr},
    {Q|D|V|W|S,   E::superseded,    G::always,     N::cancelled,   Act::stop,     Tell::nothing, "another job takes its place"},
    {F|X,         E::retry,         G::always,     N::queued,      Act::none,     Tell::nothing, "a person asks to start over"},
};
// clang-format on

bool retryable(ErrorClass cls) {
    return cls == ErrorClass::transient;
}

bool fits(Guard guard, const JobRecord& job, const Event& event, const Limits& limits) {
    const bool attempts_left = job.attempts < limits.attempts_max;
    switch (guard) {
        case Guard::always:
            return true;
        case Guard::going_back:
            return job.goal == db::JobGoal::rollback;
        case Guard::cached:
            return !job.package_sha256.empty();
        case Guard::transient:
            return attempts_left && event.error && retryable(event.error->cls());
        case Guard::expired:
            return attempts_left && job.source_kind == db::SourceKind::cloud && event.error &&
                   event.error->cls() == ErrorClass::needs_new_url;
        case Guard::runs:
            return event.report.confirmed && !job.image_sha256.empty() &&
                   event.report.running_sha256 == job.image_sha256;
        case Guard::unheard:
            return attempts_left && event.report.status == Status::unknown_token;
        case Guard::resendable:
            return attempts_left && event.error && retryable(event.error->cls());
        case Guard::fallback:
            return event.other_payload && event.payload_index >= 0 && event.payload_index < 32 &&
                   (job.payloads_refused >> event.payload_index & 1U) == 0;
        case Guard::flashing:
            return device_decides(job);
        case Guard::for_pause:
            return job.wait_reason == db::WaitReason::backoff;
        case Guard::for_url:
            return job.wait_reason == db::WaitReason::new_url;
        case Guard::url_again:
            return attempts_left && job.wait_reason == db::WaitReason::new_url;
    }
    return false;
}

const Row* find_row(const JobRecord& job, const Event& event, const Limits& limits) {
    for (const Row& row : kTable)
        if ((row.states & set(job.state)) != 0 && row.event == event.kind &&
            fits(row.guard, job, event, limits))
            return &row;
    return nullptr;
}

Error attempts_spent(const Error& last, const JobRecord& job, const Limits& limits) {
    return {ErrorCode::attempts_exhausted,
            "given up after " + std::to_string(limits.attempts_max) + " attempts; the last ended with: " +
                last.what + " (" + std::string(to_string(last.code)) + ")",
            last.next.empty() ? "mend the cause, then: mcuota job retry " + std::to_string(job.id)
                              : last.next + "; then: mcuota job retry " + std::to_string(job.id),
            last.device_status};
}

// Why a failed job failed, in words for people.
Error failure(const JobRecord& job, const Event& event, const Limits& limits) {
    if (event.kind == EventKind::timer)
        return {ErrorCode::url_expired, "the download address expired and the cloud sent no fresh one",
                "push the update again in the cloud's console"};
    if (event.kind == EventKind::reported && event.report.status == Status::ok)
        return {ErrorCode::internal,
                "the device reports a finished installation but runs " + event.report.running_version +
                    " with hash " + event.report.running_sha256 + ", not " + job.image_sha256,
                "look at the device: mcuota device show " + job.device};
    if (event.kind == EventKind::reported && event.report.status == Status::unknown_token)
        return attempts_spent(
            {ErrorCode::install_unproven,
             "the device on job " + std::to_string(job.id) + " never heard of its installation", "",
             static_cast<std::uint16_t>(Status::unknown_token)},
            job, limits);
    Error error = event.error.value_or(Error{ErrorCode::internal, "a step failed without a reason", ""});
    if (job.source_kind == db::SourceKind::local && error.cls() == ErrorClass::needs_new_url) return error;
    return error.cls() == ErrorClass::transient || error.cls() == ErrorClass::needs_new_url
               ? attempts_spent(error, job, limits)
               : error;
}

Act act_of(JobState state) {
    switch (state) {
        case JobState::downloading:
            return Act::download;
        case JobState::verifying:
            return Act::verify;
        case JobState::sending:
            return Act::send;
        case JobState::installing:
        case JobState::trial:
        case JobState::reverting:
            return Act::follow;
        default:
            return Act::none;
    }
}

void begin_wait(JobRecord& job, db::WaitReason reason, db::TimeMs until_ms) {
    if (job.state != JobState::waiting) job.resume_state = job.state;
    job.state = JobState::waiting;
    job.wait_reason = reason;
    job.wait_until_ms = until_ms;
}

void end_wait(JobRecord& job) {
    job.wait_reason = db::WaitReason::none;
    job.wait_until_ms = 0;
    job.resume_state = JobState::queued;
}

void enter(JobRecord& job, JobState state) {
    end_wait(job);
    job.state = state;
    job.error.reset();
}

void start_over(JobRecord& job, const Event& event) {
    enter(job, JobState::queued);
    job.attempts = 0;
    job.install_token = 0;
    job.told_percent = 0;
    job.payload_kind.clear();
    job.payload_bytes = 0;
    job.payload_index = -1;
    job.payloads_refused = 0;
    job.percent = 0;
    job.full_only = job.full_only || event.full;
    job.finished_at_ms.reset();
    if (event.package_gone) job.package_sha256.clear();
}

void learn(JobRecord& job, const Event& event) {
    switch (event.kind) {
        case EventKind::turn:
            job.attempts = 1;
            break;
        case EventKind::downloaded:
            job.package_sha256 = event.package_sha256;
            break;
        case EventKind::verified:
            job.image_sha256 = event.image_sha256;
            job.to_version = event.version;
            break;
        case EventKind::sent:
            job.from_version = event.from_version;
            job.payload_kind = event.payload_kind;
            job.payload_bytes = event.payload_bytes;
            job.payload_index = event.payload_index;
            job.install_token = event.token;
            break;
        case EventKind::fresh_offer:
            // An address nobody may use any more counts, too: a cloud may have no better one.
            if (job.state == JobState::waiting && job.wait_reason == db::WaitReason::new_url) ++job.attempts;
            job.url = event.url;
            job.request_id = event.request_id;
            job.digest_sign = event.digest_sign;
            break;
        case EventKind::timer:
            ++job.attempts;
            break;
        default:
            break;
    }
}

void go(Decision& decision, Next next, const JobRecord& job, const Event& event, const Limits& limits,
        Moment moment) {
    JobRecord& after = decision.after;
    switch (next) {
        case Next::same:
            break;
        case Next::downloading:
            enter(after, JobState::downloading);
            break;
        case Next::verifying:
            enter(after, JobState::verifying);
            break;
        case Next::sending:
            enter(after, JobState::sending);
            if (event.kind == EventKind::verified || event.kind == EventKind::turn) break;
            ++after.attempts;  // an installation or a payload came to nothing: that try is used up
            after.install_token = 0;
            after.error = event.error;
            if (event.other_payload) after.payloads_refused |= 1U << event.payload_index;
            break;
        case Next::installing:
            enter(after, JobState::installing);
            break;
        case Next::trial:
            enter(after, JobState::trial);
            break;
        case Next::reverting:
            enter(after, JobState::reverting);
            break;
        case Next::backoff:
            begin_wait(after, db::WaitReason::backoff,
                       moment.now_ms + backoff_ms(limits, job.attempts, moment.random));
            after.error = event.error;
            break;
        case Next::new_url:
            begin_wait(after, db::WaitReason::new_url, moment.now_ms + limits.new_url_wait_ms);
            if (event.error) after.error = event.error;
            break;
        case Next::resume:
            after.state = job.resume_state;
            end_wait(after);
            decision.act = act_of(after.state);
            break;
        case Next::queued:
            start_over(after, event);
            break;
        case Next::succeeded:
            enter(after, JobState::succeeded);
            break;
        case Next::failed:
            enter(after, JobState::failed);
            after.error = failure(job, event, limits);
            break;
        case Next::cancelled:
            enter(after, JobState::cancelled);
            after.error = event.kind == EventKind::superseded
                              ? Error{ErrorCode::superseded, event.who + " took its place", ""}
                              : Error{ErrorCode::cancelled, "cancelled by " + event.who,
                                      "start it over: mcuota job retry " + std::to_string(job.id)};
            break;
    }
}

std::optional<Error> refusal(const JobRecord& job, EventKind kind) {
    const std::string id = std::to_string(job.id);
    const std::string state(to_string(job.state));
    if (kind == EventKind::cancel)
        return db::is_finished(job.state)
                   ? Error{ErrorCode::wrong_state, "job " + id + " is finished (" + state + ")", ""}
                   : Error{ErrorCode::wrong_state,
                           "too late: the device was asked to install job " + id + " and decides how it ends",
                           "watch it: mcuota job watch " + id};
    if (kind == EventKind::superseded)
        return Error{ErrorCode::wrong_state,
                     "job " + id + " is " + state + ": the device decides how it ends", ""};
    if (kind != EventKind::retry) return std::nullopt;
    return job.state == JobState::succeeded
               ? Error{ErrorCode::wrong_state, "job " + id + " has succeeded",
                       "for another version make another job"}
               : Error{ErrorCode::wrong_state, "job " + id + " is under way (" + state + ")",
                       "watch it: mcuota job watch " + id};
}

}  // namespace

std::string_view to_string(EventKind kind) noexcept {
    switch (kind) {
        case EventKind::turn:
            return "turn";
        case EventKind::resumed:
            return "resumed";
        case EventKind::downloaded:
            return "downloaded";
        case EventKind::verified:
            return "verified";
        case EventKind::sent:
            return "sent";
        case EventKind::trial_began:
            return "trial_began";
        case EventKind::restore_began:
            return "restore_began";
        case EventKind::reported:
            return "reported";
        case EventKind::step_failed:
            return "step_failed";
        case EventKind::timer:
            return "timer";
        case EventKind::fresh_offer:
            return "fresh_offer";
        case EventKind::cancel:
            return "cancel";
        case EventKind::retry:
            return "retry";
        case EventKind::superseded:
            return "superseded";
    }
    return "unknown";
}

bool device_decides(const JobRecord& job) noexcept {
    const JobState state = job.state == JobState::waiting ? job.resume_state : job.state;
    return state == JobState::installing || state == JobState::trial || state == JobState::reverting;
}

std::uint32_t backoff_ms(const Limits& limits, std::uint32_t attempts, std::uint32_t random) noexcept {
    std::uint64_t pause = limits.backoff_min_ms;
    for (std::uint32_t i = 1; i < attempts && pause < limits.backoff_max_ms; ++i)
        pause *= 2;
    pause = std::min<std::uint64_t>(pause, limits.backoff_max_ms);
    return static_cast<std::uint32_t>(pause * 4 / 5 + pause * 2 / 5 * (random % 1024) / 1024);
}

Decision decide(const JobRecord& job, const Event& event, const Limits& limits, Moment moment) {
    Decision decision;
    decision.after = job;
    const Row* row = find_row(job, event, limits);
    if (row == nullptr || (row->reason == nullptr && row->act == Act::none)) {
        decision.refusal = refusal(job, event.kind);
        return decision;
    }
    decision.act = row->act;
    decision.tell = row->tell;
    if (row->reason == nullptr) return decision;
    decision.persist = true;
    learn(decision.after, event);
    go(decision, row->next, job, event, limits, moment);
    decision.reason = row->reason;
    if (decision.reason == "*") {
        const std::optional<Error>& why = decision.after.error ? decision.after.error : event.error;
        decision.reason =
            why ? why->what + " (" + std::string(to_string(why->code)) + ")" : "no reason given";
    } else if (event.kind == EventKind::sent && !event.note.empty()) {
        decision.reason += ": " + event.note;
    } else if (!event.who.empty() && !decision.reason.empty()) {
        decision.reason += ": " + event.who;
    }
    return decision;
}

}  // namespace mcuota::job
