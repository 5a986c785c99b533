// The loop of one device: picking jobs, applying decisions, waiting.
#include "daemon/job/device_worker.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <utility>

#include "mcu_flasher/base/hex.hpp"
#include "mcu_flasher/link/image_state.hpp"

namespace mcuota::job {
namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;
using db::JobState;

namespace {

constexpr unsigned kIdentityTries = 3;
constexpr std::int64_t kIdentityPause_ms = 5'000;
constexpr std::int64_t kDatabasePause_ms = 5'000;
constexpr auto kShowEvery = std::chrono::milliseconds(250);
constexpr unsigned kTellStep_percent = 5;

}  // namespace

DeviceWorker::DeviceWorker(const Tools& tools, WorkerHost& host, config::DeviceConfig config,
                           db::DeviceRecord device, std::unique_ptr<DevicePort> port)
    : tools_(tools),
      host_(host),
      config_(std::move(config)),
      device_(std::move(device)),
      port_(std::move(port)),
      idle_(tools.executor),
      interrupt_(tools.executor),
      link_free_(tools.executor),
      stop_(tools.executor),
      identity_tries_left_(kIdentityTries) {}

void DeviceWorker::start() {
    asio::co_spawn(tools_.executor, run(), asio::detached);
}

void DeviceWorker::stop() {
    stopping_ = true;
    idle_.raise();
    interrupt_.raise();
    stop_.raise();
}

asio::awaitable<void> DeviceWorker::run() {
    while (!stopping_) {
        idle_.lower();
        if (!pick_job()) {
            co_await idle_.wait_for(kDatabasePause_ms);
        } else if (job_) {
            co_await run_job();
        } else if (identity_tries_left_ > 0) {
            co_await (ask_identity() || idle_.wait());
            if (idle_.raised()) continue;
            const bool answered = device_.reachable.value_or(false);
            identity_tries_left_ = answered ? 0 : identity_tries_left_ - 1;
            if (identity_tries_left_ > 0)
                co_await idle_.wait_for(kIdentityPause_ms * (kIdentityTries - identity_tries_left_));
        } else if (!co_await idle_.wait_for(tools_.look_again_ms)) {
            identity_tries_left_ = 1;
        }
    }
    while (link_busy_)
        co_await link_free_.wait();
    port_->close();
    host_.worker_stopped();
}

// The job this device is in the middle of, else the oldest queued one. False: the database does not answer.
bool DeviceWorker::pick_job() {
    job_.reset();
    Result<std::vector<db::JobRecord>> unfinished = tools_.store.unfinished_jobs();
    if (!unfinished) {
        tools_.log.error("device " + config_.name + ": " + unfinished.error().line());
        return false;
    }
    for (db::JobRecord& candidate : *unfinished) {
        if (candidate.device != config_.name) continue;
        const bool begun = candidate.state != JobState::queued;
        if (!job_ || (begun && job_->state == JobState::queued)) job_ = std::move(candidate);
    }
    return true;
}

asio::awaitable<void> DeviceWorker::run_job() {
    progress_ = {};
    pending_.reset();
    interrupt_.lower();
    Event event{.kind = job_->state == JobState::queued ? EventKind::turn : EventKind::resumed};
    for (;;) {
        Result<Act> act = apply(event);
        if (!act) {
            // Not recorded, so not done: the same event is offered again until it can be written down.
            tools_.log.error("job " + std::to_string(job_->id) + ": " + act.error().line());
            if (!pending_ && !stopping_) interrupt_.lower();
            co_await interrupt_.wait_for(kDatabasePause_ms);
            if (stopping_) co_return;
            if (!pending_) continue;
            act = *pending_;
        }
        Act doing = *act;
        std::optional<Event> next;
        while (!next) {
            if (stopping_) co_return;
            if (pending_) doing = *std::exchange(pending_, std::nullopt);
            if (db::is_finished(job_->state)) {
                job_ended();
                co_return;
            }
            if (job_->state == JobState::queued) {  // cancelled and started over while the step was ending
                leave_job();
                co_return;
            }
            interrupt_.lower();
            next = co_await perform(doing);
            if (pending_)
                next.reset();  // what was decided meanwhile counts; the step's end is asked for again
        }
        event = std::move(*next);
    }
}

void DeviceWorker::leave_job() {
    package_.reset();
    port_->close();
    if (job_->state != JobState::failed) tools_.cache.forget_partial(job_->id);
    identity_tries_left_ = job_->state == JobState::succeeded ? 0 : kIdentityTries;
    job_.reset();
}

void DeviceWorker::job_ended() {
    const db::JobRecord job = *job_;
    leave_job();
    host_.job_changed(job);
    host_.device_changed(config_.name);
}

// Nothing: interrupted.
asio::awaitable<std::optional<Event>> DeviceWorker::perform(Act act) {
    if (act == Act::wait || act == Act::ask_url) co_return co_await wait_out(act == Act::ask_url);
    auto ended = co_await (guarded(act) || interrupt_.wait());
    if (ended.index() == 1) co_return std::nullopt;
    co_return std::get<0>(std::move(ended));
}

// No exception of a library ends a worker.
DeviceWorker::EventOf DeviceWorker::guarded(Act act) {
    std::string what;
    try {
        co_return co_await step(act);
    } catch (const std::exception& exception) {
        what = exception.what();
    }
    co_return Event{
        .kind = EventKind::step_failed,
        .error = Error{ErrorCode::internal, "a step ended unexpectedly: " + what, "report this as a bug"}};
}

DeviceWorker::EventOf DeviceWorker::step(Act act) {
    switch (act) {
        case Act::download:
            return download();
        case Act::verify:
            return verify();
        case Act::send:
            return send();
        case Act::install:
            return install(false);
        case Act::follow:
            return install(true);
        default:
            break;
    }
    // A state that asks for nothing: let the table say how it goes on.
    return []() -> EventOf { co_return Event{.kind = EventKind::resumed}; }();
}

asio::awaitable<std::optional<Event>> DeviceWorker::wait_out(bool ask_url) {
    if (ask_url) host_.request_offer(job_->provider, job_->device, job_->module);
    show(std::string(to_string(job_->wait_reason)), progress_.percent);
    // Bounded against a clock that was set meanwhile.
    const std::int64_t longest = std::max(tools_.limits.backoff_max_ms, tools_.limits.new_url_wait_ms) * 2LL;
    const std::int64_t left = std::clamp<std::int64_t>(job_->wait_until_ms - host_.now_ms(), 0, longest);
    const bool interrupted = co_await interrupt_.wait_for(left);
    if (interrupted) co_return std::nullopt;
    co_return Event{.kind = EventKind::timer};
}

Result<Act> DeviceWorker::apply(const Event& event, const std::optional<db::AuditRecord>& audit) {
    Decision decision =
        decide(*job_, event, tools_.limits, {host_.now_ms(), static_cast<std::uint32_t>(host_.random())});
    if (decision.refusal) return std::move(*decision.refusal);
    if (!decision.persist) return decision.act;
    if (!event.other_payload) return commit(*job_, std::move(decision), audit);
    db::AuditRecord fell_back;
    fell_back.who = "mcuotad";
    fell_back.action = "fall_back";
    fell_back.device = config_.name;
    fell_back.detail = decision.reason;
    return commit(*job_, std::move(decision), fell_back);
}

Result<Act> DeviceWorker::commit(const db::JobRecord& before, Decision decision,
                                 const std::optional<db::AuditRecord>& audit) {
    const bool active = job_ && job_->id == before.id;
    if (active && decision.after.state != JobState::queued)
        decision.after.percent = std::max(decision.after.percent, progress_.percent);
    const db::TimeMs now_ms = host_.now_ms();
    decision.after.updated_at_ms = now_ms;
    if (db::is_finished(decision.after.state) && !decision.after.finished_at_ms)
        decision.after.finished_at_ms = now_ms;
    db::JobChange change;
    change.after = decision.after;
    change.from = before.state;
    change.reason = decision.reason;
    change.outbox = tell(decision.after, decision.tell);
    change.audit = audit;
    if (change.audit) change.audit->job = before.id;
    if (std::exchange(identity_saved_, false)) change.device = device_;
    Result<void> written = tools_.store.change_job(change, now_ms);
    if (!written) {
        identity_saved_ = change.device.has_value();
        return std::move(written).error();
    }
    if (active) job_ = decision.after;  // `before` may be job_ itself: from here on only `change` knows
    if (!decision.reason.empty())
        tools_.log.info("job " + std::to_string(change.after.id) + " (" + config_.name +
                        "): " + std::string(to_string(change.from)) + " → " +
                        std::string(to_string(decision.after.state)) + ": " + decision.reason);
    // By the messages: a local job's provider is a person, but its reports go to the device's cloud.
    for (const db::OutboxRecord& message : change.outbox)
        host_.outbox_changed(message.provider);
    if (!active || !db::is_finished(decision.after.state)) host_.job_changed(decision.after);
    return decision.act;
}

std::vector<db::OutboxRecord> DeviceWorker::tell(const db::JobRecord& job, Tell what) {
    if (what == Tell::nothing) return {};
    std::vector<db::OutboxRecord> messages;
    const auto add = [&](const cloud::Report& report, const std::string& provider) {
        if (provider.empty()) return;
        for (db::OutboxRecord& message : host_.encode(provider, report))
            messages.push_back(std::move(message));
    };
    if (what == Tell::failure && job.source_kind == db::SourceKind::cloud)
        add({cloud::Report::Kind::failure, job.device, job.module, job.to_version, 0, job.error},
            job.provider);
    const bool known = device_.reachable.value_or(false) && device_.running.state == flasher::kImageConfirmed;
    if (what == Tell::version && known)
        add({cloud::Report::Kind::version, job.device, config_.module, device_.running.version, 0, {}},
            config_.cloud);
    return messages;
}

void DeviceWorker::fellow_changed() {
    const bool waits = job_ && job_->state == JobState::waiting && job_->error &&
                       job_->error->code == ErrorCode::requirement_unmet;
    if (!waits || !package_) return;
    const package::Entry* const entry = package_->package.find(config_.hardware);
    if (entry == nullptr || host_.unmet(entry->manifest)) return;
    Result<db::JobRecord> gone_on = post(job_->id, {.kind = EventKind::timer}, std::nullopt);
    if (!gone_on) tools_.log.warning("job " + std::to_string(job_->id) + ": " + gone_on.error().line());
}

Result<db::JobRecord> DeviceWorker::post(std::int64_t id, const Event& event,
                                         const std::optional<db::AuditRecord>& audit) {
    if (job_ && job_->id == id) {
        const JobState before = job_->state;
        const Decision probe = decide(*job_, event, tools_.limits, {host_.now_ms(), 0});
        Result<Act> act = apply(event, audit);
        if (!act) return std::move(act).error();
        if (job_->state != before || probe.act != Act::none) {
            pending_ = *act;
            interrupt_.raise();
        }
        return *job_;
    }
    Result<std::optional<db::JobRecord>> stored = tools_.store.job(id);
    if (!stored) return std::move(stored).error();
    if (!*stored)
        return Error{ErrorCode::not_found, "there is no job " + std::to_string(id),
                     "see them: mcuota job list"};
    const db::JobRecord before = **stored;
    Decision decision = decide(before, event, tools_.limits, {host_.now_ms(), 0});
    if (decision.refusal) return std::move(*decision.refusal);
    const db::JobRecord after = decision.after;
    if (decision.persist) {
        Result<Act> act = commit(before, std::move(decision), audit);
        if (!act) return std::move(act).error();
    }
    wake();
    return after;
}

void DeviceWorker::show(std::string step, unsigned percent, std::uint64_t bytes, std::uint64_t total,
                        std::uint64_t rate) {
    const bool new_step = step != progress_.step;
    // Steps that are done again (another payload, a return) take nothing back of what was shown.
    percent = std::max<unsigned>({std::min(percent, 99U), progress_.percent, job_->percent});
    progress_.step = std::move(step);
    progress_.percent = static_cast<std::uint8_t>(percent);
    progress_.bytes = bytes;
    progress_.bytes_total = total;
    progress_.bytes_per_second = rate;
    const auto now = std::chrono::steady_clock::now();
    if (!new_step && now - shown_at_ < kShowEvery) return;
    shown_at_ = now;
    tell_progress();
    host_.job_changed(*job_);
}

// Progress for the cloud, at most one message for every few percent. Not being able to write it is no reason
// to stop.
void DeviceWorker::tell_progress() {
    if (job_->source_kind != db::SourceKind::cloud) return;
    // The first message, however small its figure, is what tells the cloud that the update has begun.
    if (job_->told_percent == 0 ? progress_.percent == 0
                                : progress_.percent < job_->told_percent + kTellStep_percent)
        return;
    db::JobChange change;
    change.after = *job_;
    change.after.told_percent = progress_.percent;
    change.from = job_->state;
    change.outbox = host_.encode(job_->provider, {cloud::Report::Kind::progress,
                                                  job_->device,
                                                  job_->module,
                                                  job_->to_version,
                                                  progress_.percent,
                                                  {},
                                                  progress_.step});
    Result<void> written = tools_.store.change_job(change, host_.now_ms());
    if (!written) {
        tools_.log.warning("job " + std::to_string(job_->id) + ": " + written.error().line());
        return;
    }
    job_ = change.after;
    host_.outbox_changed(job_->provider);
}

}  // namespace mcuota::job
