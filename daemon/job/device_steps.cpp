// The steps of a job as operations: download, verify, send, install; and asking a device who it is.
#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <utility>

#include "daemon/job/device_worker.hpp"
#include "daemon/job/link_use.hpp"
#include "daemon/job/on_pool.hpp"
#include "mcu_flasher/base/hex.hpp"
#include "mcu_flasher/link/device_error.hpp"
#include "mcu_flasher/link/image_state.hpp"

namespace mcuota::job {
namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;
using db::JobState;

namespace {

// Shares of the whole job, in percent: where each step begins and how much it takes.
constexpr unsigned kDownloadShare = 25, kSendFrom = 30, kSendShare = 45, kInstallFrom = 75, kStepShare = 4,
                   kTrial = 97;
constexpr std::int64_t kLinkWait_ms = 30'000;

unsigned share(unsigned whole, std::uint64_t part, std::uint64_t total) {
    return total == 0 ? 0 : static_cast<unsigned>(whole * std::min(part, total) / total);
}

bool is_already_running(const Error& error) {
    return error.device_status == static_cast<std::uint16_t>(Status::already_running);
}

std::string_view word(link::Step step) {
    switch (step) {
        case link::Step::check:
            return "check";
        case link::Step::rehearse:
            return "rehearse";
        case link::Step::back_up:
            return "back_up";
        case link::Step::apply:
            return "apply";
        case link::Step::verify:
            return "verify";
        case link::Step::trial:
            return "trial";
        case link::Step::restore:
            return "restore";
    }
    return "install";
}

// How it is with what runs after a job that came to nothing; empty when nothing does.
std::string_view word_of_running(std::uint8_t image_state) {
    switch (image_state) {
        case flasher::kImageConfirmed:
            return "runs again";
        case flasher::kImageOnTrial:
            return "is on trial";
        case flasher::kImageDamaged:
            return "is damaged";
        default:
            return {};
    }
}

// The cheapest payload whose bit is not set.
const package::Candidate* first_unrefused(const package::Candidates& candidates, std::uint32_t refused) {
    for (const package::Candidate& candidate : candidates.fitting)
        if (candidate.payload_index >= 32 || (refused >> candidate.payload_index & 1U) == 0)
            return &candidate;
    return nullptr;
}

// What was chosen, and why nothing cheaper was.
std::string choice_words(const package::Candidates& candidates, const package::Candidate& chosen) {
    std::string words = package::to_string(chosen);
    for (const package::Candidate& other : candidates.unfit)
        if (other.envelope_bytes < chosen.envelope_bytes)
            words += "; not " + package::to_string(other) + ": " + other.obstacle;
    return words;
}

}  // namespace

DeviceWorker::EventOf DeviceWorker::download() {
    download::Request request;
    request.job_id = job_->id;
    request.url = job_->url;
    request.partial_file = tools_.cache.partial_file(job_->id);
    request.size_bytes = job_->size_bytes;
    request.size_bytes_max = tools_.cache.file_bytes_max();
    request.digest_kind = static_cast<cloud::DigestKind>(job_->digest_kind);
    request.digest_hex = job_->digest_hex;
    const std::filesystem::path partial = request.partial_file;
    show("download", 1, 0, job_->size_bytes);
    const auto progress = [this](const download::Progress& now) {
        if (job_ && job_->state == JobState::downloading)
            show("download", 1 + share(kDownloadShare, now.bytes, now.bytes_total), now.bytes,
                 now.bytes_total, now.bytes_per_second);
    };
    Result<download::Done> done = co_await tools_.fetcher.fetch(std::move(request), progress);
    if (!done) co_return step_failed(std::move(done).error());
    const std::string sha256 = done->sha256_hex;
    const db::TimeMs now_ms = host_.now_ms();
    Result<void> adopted =
        co_await on_pool(tools_.pool, [&] { return tools_.cache.adopt(partial, sha256, now_ms); });
    if (!adopted) co_return step_failed(std::move(adopted).error());
    Result<void> dropped = tools_.store.drop_download(job_->id);
    if (!dropped) tools_.log.warning("job " + std::to_string(job_->id) + ": " + dropped.error().line());
    co_return Event{.kind = EventKind::downloaded, .package_sha256 = sha256};
}

// Opens the job's package, once. Gives the error if it cannot be used.
asio::awaitable<std::optional<Error>> DeviceWorker::open_package() {
    if (package_) co_return std::nullopt;
    const db::JobRecord job = *job_;
    Result<std::shared_ptr<const OpenedPackage>> opened =
        co_await on_pool(tools_.pool, [&]() -> Result<std::shared_ptr<const OpenedPackage>> {
            Result<std::shared_ptr<const OpenedPackage>> read =
                tools_.cache.open(job.package_sha256, job.hardware);
            if (!read) return read;
            Result<void> signature = host_.check_signature(job, **read);
            if (!signature) return std::move(signature).error();
            return read;
        });
    if (!opened) co_return std::move(opened).error();
    const std::string& version = (*opened)->version;
    const bool announced = job.source_kind == db::SourceKind::cloud && !job.to_version.empty();
    if (announced && version != job.to_version)
        co_return Error{ErrorCode::version_mismatch,
                        "the cloud announced version " + job.to_version + ", the package holds " + version,
                        "upload the package again under its own version"};
    package_ = std::move(*opened);
    co_return std::nullopt;
}

// Of an installation or rollback: 0 means none.
std::uint64_t DeviceWorker::fresh_token() {
    std::uint64_t token = 0;
    while (token == 0)
        token = host_.random();
    return token;
}

DeviceWorker::EventOf DeviceWorker::verify() {
    show("verify", 1 + kDownloadShare);
    std::optional<Error> error = co_await open_package();
    if (error) co_return step_failed(std::move(*error));
    co_return Event{
        .kind = EventKind::verified, .image_sha256 = package_->image_sha256, .version = package_->version};
}

// Who the device is, if it is the one that is configured.
asio::awaitable<Result<link::Identity>> DeviceWorker::ask_configured() {
    Result<link::Identity> identity = co_await port_->identify();
    if (!identity) {
        remember_failure(identity.error());
        co_return identity;
    }
    remember_identity(*identity);
    if (std::optional<Error> stranger = check_identity(*identity)) co_return std::move(*stranger);
    co_return identity;
}

// Who the device is, once nothing speaks against sending it the package.
asio::awaitable<Result<link::Identity>> DeviceWorker::ask_ready() {
    Result<link::Identity> identity = co_await ask_configured();
    if (!identity) co_return identity;
    if (identity->running.state == flasher::kImageOnTrial) {
        // Not of this job, whose own installation is followed by its token.
        tools_.log.info("device " + config_.name + " tries " + std::string(identity->running.version.view()) +
                        ": job " + std::to_string(job_->id) + " waits until that has ended");
        identity = co_await port_->after_trial(*identity);
        if (!identity) co_return identity;
        remember_identity(*identity);
    }
    const package::Entry* const entry = package_->package.find(config_.hardware);
    if (entry == nullptr) co_return identity;  // the choice of a payload says it in its own words
    if (std::optional<Error> unmet = host_.unmet(entry->manifest)) co_return std::move(*unmet);
    const std::vector<package::Bytes> rotations = package::rotations_for(package_->package, *identity);
    for (const package::Bytes& record : rotations) {
        Result<std::uint16_t> generation = co_await port_->rotate(record);
        if (!generation) co_return std::move(generation).error().while_doing("handing over a key rotation");
        tools_.log.info("device " + config_.name + ": its keys are now generation " +
                        std::to_string(*generation));
    }
    if (rotations.empty()) co_return identity;
    identity = co_await port_->identify();
    if (identity) remember_identity(*identity);
    co_return identity;
}

DeviceWorker::EventOf DeviceWorker::send() {
    const bool going_back = job_->goal == db::JobGoal::rollback;
    std::optional<Error> unusable;
    if (!going_back) unusable = co_await open_package();
    if (unusable) co_return step_failed(std::move(*unusable));
    while (link_busy_)
        co_await link_free_.wait_for(kLinkWait_ms);
    const LinkUse use(link_busy_, link_free_);
    show("connect", kSendFrom);
    if (going_back) co_return co_await prepare_rollback();
    const Result<link::Identity> identity = co_await ask_ready();
    if (!identity) co_return step_failed(identity.error());
    const std::shared_ptr<const OpenedPackage> opened = package_;  // what the candidates point into
    const Result<package::Candidates> candidates =
        package::candidates_for(opened->package, *identity, job_->full_only);
    if (!candidates && candidates.error().code == ErrorCode::nothing_to_do)
        co_return reported(*identity, Status::ok);
    if (!candidates) co_return step_failed(candidates.error());
    const package::Candidate* const unrefused = first_unrefused(*candidates, job_->payloads_refused);
    // All refused, and yet to be tried again: then the last refusal was one that may pass.
    const package::Candidate& chosen = unrefused != nullptr ? *unrefused : candidates->fitting.back();
    const package::Envelope envelope = package::make_envelope(*candidates->entry, chosen.payload_index);
    progress_.payload_kind = package::to_string(chosen.kind);
    progress_.payload_bytes = chosen.payload_bytes;
    show("prepare", kSendFrom);
    wire_since_ = {};
    const flasher::ProgressFn progress = [this](const flasher::Progress& now) { on_wire(now); };
    Result<void> sent = co_await port_->send(envelope.bytes, progress);
    if (!sent && is_already_running(sent.error())) co_return reported(*identity, Status::ok);
    const auto index = static_cast<std::int32_t>(chosen.payload_index);
    if (!sent) co_return refused(std::move(sent).error(), *candidates, index);
    co_return Event{.kind = EventKind::sent,
                    .from_version = std::string(identity->running.version.view()),
                    .payload_kind = std::string(package::to_string(chosen.kind)),
                    .payload_bytes = chosen.payload_bytes,
                    .token = fresh_token(),
                    .payload_index = index,
                    .note = choice_words(*candidates, chosen)};
}

// The step failed. When the device refused this payload only, it goes on with the next one it has not
// refused.
Event DeviceWorker::refused(Error error, const package::Candidates& candidates,
                            std::int32_t payload_index) const {
    Event event = step_failed(std::move(error));
    if (!package::refuses_payload(static_cast<Status>(event.error->device_status)) || payload_index < 0)
        return event;
    const std::uint32_t gone = job_->payloads_refused | 1U << payload_index;
    const package::Candidate* const next = first_unrefused(candidates, gone);
    if (next == nullptr) return event;
    event.other_payload = true;
    event.payload_index = payload_index;
    const PayloadEntry& payload =
        candidates.entry->manifest.payloads[static_cast<std::size_t>(payload_index)];
    event.error->what = std::string(package::to_string(payload.kind)) + " passed over: " + event.error->what +
                        "; next is " + package::to_string(*next);
    return event;
}

// The device has told how its installation ended. Refused in check or rehearsal, its old image is as it was,
// and another payload of the package may do.
DeviceWorker::EventOf DeviceWorker::concluded(const link::Identity& identity, Event event) {
    if (!event.error || !package::refuses_payload(static_cast<Status>(event.error->device_status)))
        co_return event;
    const std::optional<Error> unusable = co_await open_package();
    if (unusable) co_return event;
    const Result<package::Candidates> candidates =
        package::candidates_for(package_->package, identity, job_->full_only);
    if (!candidates) co_return event;
    Event other = refused(*event.error, *candidates, job_->payload_index);
    if (!other.other_payload) co_return event;
    other.kind = event.kind;
    other.report = event.report;
    co_return other;
}

DeviceWorker::EventOf DeviceWorker::install(bool only_follow) {
    while (link_busy_)
        co_await link_free_.wait_for(kLinkWait_ms);
    const LinkUse use(link_busy_, link_free_);
    const std::uint64_t token = job_->install_token;
    show(job_->state == JobState::installing ? "check"
         : job_->state == JobState::trial    ? "trial"
                                             : "restore",
         kInstallFrom);
    const flasher::ProgressFn progress = [this](const flasher::Progress& now) { on_wire(now); };
    asio::awaitable<Result<flasher::InstallReport>> asked = only_follow ? port_->follow(token, progress)
                                                            : job_->goal == db::JobGoal::rollback
                                                                ? port_->rollback(token, progress)
                                                                : port_->install(token, progress);
    Result<flasher::InstallReport> report = co_await std::move(asked);
    if (report) {
        remember_identity(report->identity);
        if (std::optional<Error> stranger = check_identity(report->identity))
            co_return step_failed(std::move(*stranger));
        Event ended = reported(report->identity, report->status);
        co_return co_await concluded(report->identity, std::move(ended));
    }
    const bool payload_refused = package::refuses_payload(static_cast<Status>(report.error().device_status));
    if (!is_already_running(report.error()) && !payload_refused) {
        remember_failure(report.error());
        co_return step_failed(std::move(report).error());
    }
    Result<link::Identity> identity = co_await port_->identify();
    if (!identity) co_return step_failed(std::move(identity).error());
    remember_identity(*identity);
    if (!payload_refused) co_return reported(*identity, Status::ok);
    Event answered = step_failed(std::move(report).error());
    co_return co_await concluded(*identity, std::move(answered));
}

Event DeviceWorker::reported(const link::Identity& identity, Status status) const {
    Event event{.kind = EventKind::reported};
    event.report = {status, identity.running.state == flasher::kImageConfirmed,
                    to_hex(identity.running.sha256), std::string(identity.running.version.view())};
    if (status == Status::ok) return event;
    const std::string doing = job_->goal == db::JobGoal::rollback ? "going back to " : "installing ";
    Error error = flasher::error_from_status(status, doing + job_->to_version + " on " + config_.name);
    error.device_status = static_cast<std::uint16_t>(status);
    const std::string_view state = word_of_running(identity.running.state);
    error.what += "; " + (state.empty() ? "no application runs"
                                        : event.report.running_version + " " + std::string(state));
    event.error = std::move(error);
    return event;
}

void DeviceWorker::on_wire(const flasher::Progress& now) {
    if (!job_ || db::is_finished(job_->state)) return;
    using Phase = flasher::Progress::Phase;
    switch (now.phase) {
        case Phase::connecting:
            return show("connect", kSendFrom);
        case Phase::preparing:
            return show("prepare", kSendFrom);
        case Phase::sending:
            return show("send", kSendFrom + share(kSendShare, now.bytes, now.bytes_total), now.bytes,
                        now.bytes_total, wire_rate(now));
        case Phase::checking:
            return show("check", kSendFrom + kSendShare, now.bytes_total, now.bytes_total);
        case Phase::installing:
        case Phase::trial:
            break;
    }
    const link::Step step =
        now.step.value_or(now.phase == Phase::trial ? link::Step::trial : link::Step::check);
    // A state that cannot be written down now is written down with the next message or the final report.
    if (step == link::Step::trial && job_->state == JobState::installing)
        static_cast<void>(apply({.kind = EventKind::trial_began}).ok());
    if (step == link::Step::restore && job_->state != JobState::reverting)
        static_cast<void>(apply({.kind = EventKind::restore_began}).ok());
    // Putting the backup back is to a rollback what writing is to an installation.
    const bool writes_back = step == link::Step::restore && job_->goal == db::JobGoal::rollback;
    const link::Step place = writes_back ? link::Step::apply : step;
    const auto number = static_cast<unsigned>(place);
    const unsigned percent = place >= link::Step::trial ? kTrial
                                                        : kInstallFrom + (number - 1) * kStepShare +
                                                              share(kStepShare, now.bytes, now.bytes_total);
    show(std::string(word(step)), percent);
}

std::uint64_t DeviceWorker::wire_rate(const flasher::Progress& now) {
    const auto at = std::chrono::steady_clock::now();
    if (wire_since_ == std::chrono::steady_clock::time_point{}) {
        wire_since_ = at;
        wire_from_ = now.bytes;
    }
    const auto took_ms = std::chrono::duration_cast<std::chrono::milliseconds>(at - wire_since_).count();
    if (took_ms < 500 || now.bytes < wire_from_) return 0;
    return (now.bytes - wire_from_) * 1'000 / static_cast<std::uint64_t>(took_ms);
}

std::optional<Error> DeviceWorker::check_identity(const link::Identity& identity) const {
    const std::string hardware(identity.hardware.view());
    if (hardware != config_.hardware)
        return Error{ErrorCode::device_mismatch,
                     "on " + config_.link + " answers hardware " + hardware + ", " + config_.name +
                         " is configured as " + config_.hardware,
                     "correct hardware or link of device " + config_.name + " in mcuota.toml"};
    const std::string id = to_hex(identity.unique_id);
    if (!config_.unique_id.empty() && id != config_.unique_id)
        return Error{ErrorCode::device_mismatch,
                     "on " + config_.link + " answers the chip " + id + ", " + config_.name +
                         " is configured as " + config_.unique_id,
                     "check the wiring, or correct unique_id of device " + config_.name + " in mcuota.toml"};
    return std::nullopt;
}

void DeviceWorker::remember_identity(const link::Identity& identity) {
    const auto image = [](const link::ImageInfo& info) {
        return db::ImageRecord{info.state, std::string(info.version.view()), to_hex(info.sha256),
                               info.size_bytes, info.security_counter};
    };
    if (identity.backup.state == flasher::kBackupDamaged && device_.backup.state != flasher::kBackupDamaged)
        tools_.log.warning("device " + config_.name + ": its backup image " +
                           std::string(identity.backup.version.view()) +
                           " is damaged: if the running image fails there is nothing to go back to; "
                           "installing a package makes a new backup");
    const db::TimeMs now_ms = host_.now_ms();
    device_.reachable = true;
    device_.tried_at_ms = now_ms;
    device_.seen_at_ms = now_ms;
    device_.role = static_cast<std::uint8_t>(identity.role);
    device_.unique_id = to_hex(identity.unique_id);
    device_.loader_version = identity.loader_version.view();
    device_.agent_version = identity.agent_version.view();
    device_.running = image(identity.running);
    device_.backup = image(identity.backup);
    device_.security_counter_floor = identity.security_counter_floor;
    device_.stay_reason = static_cast<std::uint16_t>(identity.stay_reason);
    device_.error = check_identity(identity);
    identity_saved_ = true;
    host_.device_changed(config_.name);
}

void DeviceWorker::remember_failure(const Error& error) {
    if (error.code == ErrorCode::cancelled)
        return;  // the gateway changed its mind; that says nothing of the device
    device_.reachable = false;
    device_.tried_at_ms = host_.now_ms();
    device_.error = error;
    identity_saved_ = true;
    host_.device_changed(config_.name);
}

// Outside of a job: what was learned is written by itself, with a version report when the cloud has not heard
// it.
void DeviceWorker::save_device() {
    Result<std::optional<db::DeviceRecord>> stored = tools_.store.device(config_.name);
    std::vector<db::OutboxRecord> messages;
    const bool confirmed = device_.reachable.value_or(false) &&
                           device_.running.state == flasher::kImageConfirmed && !device_.error;
    const bool news = stored && *stored && (**stored).running.version != device_.running.version;
    if (confirmed && news && !config_.cloud.empty())
        messages = host_.encode(
            config_.cloud,
            {cloud::Report::Kind::version, config_.name, config_.module, device_.running.version, 0, {}});
    Result<void> written = tools_.store.save_device(device_, messages, host_.now_ms());
    if (!written) {
        tools_.log.error("device " + config_.name + ": " + written.error().line());
        return;
    }
    identity_saved_ = false;
    if (!messages.empty()) host_.outbox_changed(config_.cloud);
}

asio::awaitable<void> DeviceWorker::ask_identity() {
    while (link_busy_)
        co_await link_free_.wait();
    const LinkUse use(link_busy_, link_free_);
    Result<link::Identity> identity = co_await port_->identify();
    if (identity) {
        remember_identity(*identity);
        tools_.log.info(
            "device " + config_.name + " answers: " +
            (device_.running.version.empty() ? "no application" : "runs " + device_.running.version));
    } else if (identity.error().code != ErrorCode::cancelled) {
        remember_failure(identity.error());
        tools_.log.warning("device " + config_.name + ": " + identity.error().line());
    }
    if (identity_saved_) save_device();
    const bool job_talks = job_ && (job_->state == JobState::sending || device_decides(*job_));
    if (!job_talks) port_->close();
}

asio::awaitable<void> DeviceWorker::refresh() {
    const bool job_talks = job_ && job_->state != JobState::waiting &&
                           (job_->state == JobState::sending || device_decides(*job_));
    if (job_talks || stopping_) co_return;
    if (link_busy_) {  // somebody is asking already: that answer serves, too
        co_await link_free_.wait_for(kLinkWait_ms);
        co_return;
    }
    co_await (ask_identity() || stop_.wait());
}

}  // namespace mcuota::job
