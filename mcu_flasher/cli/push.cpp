// mcuota-flash push: a package into a device, up to the device's own word about how it ended.
#include <boost/json/array.hpp>
#include <chrono>
#include <iostream>
#include <utility>
#include <vector>

#include "mcu_flasher/base/hex.hpp"
#include "mcu_flasher/base/status_text.hpp"
#include "mcu_flasher/cli/commands.hpp"
#include "mcu_flasher/cli/output.hpp"
#include "mcu_flasher/link/device_error.hpp"
#include "mcu_flasher/link/image_state.hpp"
#include "mcu_flasher/package/envelope.hpp"

namespace mcuota::flash {

namespace asio = boost::asio;

namespace {

/// What a push has done so far, for the report at its end and for the word after a Ctrl-C.
struct Course {
    enum class Stage : std::uint8_t { before, sending, installing } stage{Stage::before};
    package::Candidate chosen;
    std::vector<std::pair<package::Candidate, Error>> passed_over;  ///< refused by the device
    flasher::Progress sent;
    double send_seconds{0};
};

/// Which image runs now, after an installation that did not succeed.
std::string what_runs_now(const link::Identity& id) {
    if (id.running.state == flasher::kImageConfirmed && id.role == link::Role::agent)
        return image_name(id.running) + " runs again";
    if (id.running.state == flasher::kImageConfirmed && id.stay_reason == Status::ok)
        return image_name(id.running) + " runs again";
    const std::string backup =
        id.backup.state != flasher::kBackupValid ? " and there is no backup image to go back to" : "";
    return "no application runs" + backup + ": the loader waits for a package";
}

Error failed_install(const Manifest& manifest, const flasher::InstallReport& report) {
    const std::string image = std::string(manifest.version.view());
    Error error = flasher::error_from_status(report.status, "installing " + image);
    const std::string boots = std::to_string(report.identity.trial_boots_allowed);
    switch (report.status) {
        case Status::trial_not_confirmed:
            error.what = "the new image " + image + " did not confirm itself in " + boots + " trial boots";
            break;
        case Status::trial_watchdog:
            error.what = "the new image " + image + " was stopped by the watchdog in its trial";
            break;
        case Status::vectors_invalid:
            error.what = "the new image " + image + " cannot run: its start vectors point outside its memory";
            break;
        case Status::unknown_token:
            error.what = "the device has forgotten the installation of " + image;
            break;
        default:
            break;
    }
    error.what += "; " + what_runs_now(report.identity);
    return error;
}

Result<void> tell_success(const Common& common, const Manifest& manifest, const link::Identity& id,
                          const Course& course, double seconds) {
    if (id.running.sha256 != manifest.image_sha256 || id.running.state != flasher::kImageConfirmed)
        return Error{ErrorCode::install_unproven,
                     "the device says done, but reports " + image_name(id.running) + ", " +
                         std::string(image_state(id.running.state)) + ", instead of " +
                         std::string(manifest.version.view()),
                     "look at it: mcuota-flash info, mcuota-flash log"};
    const std::uint64_t carried = course.sent.bytes_total - course.sent.resumed_from;
    if (common.json) {
        boost::json::array passed_over;
        for (const auto& [candidate, why] : course.passed_over)
            passed_over.push_back(boost::json::object{{"kind", package::to_string(candidate.kind)},
                                                      {"bytes", candidate.payload_bytes},
                                                      {"code", to_string(why.code)},
                                                      {"reason", why.what}});
        print_json(
            {{"outcome", "confirmed"},
             {"hardware", id.hardware.view()},
             {"version", id.running.version.view()},
             {"image_sha256", to_hex(id.running.sha256)},
             {"payload",
              {{"kind", package::to_string(course.chosen.kind)}, {"bytes", course.chosen.payload_bytes}}},
             {"passed_over", std::move(passed_over)},
             {"bytes_total", course.sent.bytes_total},
             {"bytes_sent", carried},
             {"resumed_from", course.sent.resumed_from},
             {"frames_resent", course.sent.frames_resent},
             {"send_seconds", course.send_seconds},
             {"seconds", seconds}});
        return {};
    }
    std::cout << id.running.version.view() << " runs on " << id.hardware.view() << " ("
              << short_hash(id.running.sha256) << "), confirmed; " << bytes_text(carried) << " ("
              << package::to_string(course.chosen.kind) << ") sent in " << duration_text(course.send_seconds)
              << ", all done in " << duration_text(seconds) << '\n';
    return {};
}

/// After a Ctrl-C: in what state the device is left.
Error stopped(const Course& course) {
    switch (course.stage) {
        case Course::Stage::before:
            return {ErrorCode::cancelled, "stopped before anything was sent; the device is as it was", ""};
        case Course::Stage::sending:
            return {ErrorCode::cancelled,
                    "stopped while sending; the device's application is untouched and it keeps the " +
                        bytes_text(course.sent.bytes) + " it has got",
                    "the same command again goes on from there"};
        case Course::Stage::installing:
            break;
    }
    return {ErrorCode::cancelled,
            "stopped watching; the device goes on by itself and ends in the new image or the one before",
            "mcuota-flash info shows how it ended"};
}

using Clock = std::chrono::steady_clock;
double since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// Says that a payload was refused and what comes next; nothing when none is left, or when the package as a
/// whole was refused.
bool next_may_do(Course& course, const package::Candidates& candidates, std::size_t at, const Error& why) {
    if (!package::refuses_payload(static_cast<Status>(why.device_status))) return false;
    if (at + 1 == candidates.fitting.size()) return false;
    course.passed_over.push_back({candidates.fitting[at], why});
    remark(package::to_string(candidates.fitting[at]) + ": " + why.what + "; next is " +
           package::to_string(candidates.fitting[at + 1]));
    return true;
}

asio::awaitable<Result<flasher::InstallReport>> send_and_install(flasher::Flasher& device,
                                                                 const package::Envelope& envelope,
                                                                 Course& course, ProgressLine& line) {
    course.stage = Course::Stage::sending;
    const Clock::time_point send_begin = Clock::now();
    auto sent = co_await device.send(envelope.bytes, [&](const flasher::Progress& progress) {
        course.sent = progress;
        line.show(progress);
    });
    course.send_seconds += since(send_begin);
    if (!sent) co_return std::move(sent).error();
    course.stage = Course::Stage::installing;
    co_return co_await device.install(new_token(),
                                      [&](const flasher::Progress& progress) { line.show(progress); });
}

/// Who the device is, after an earlier trial and after it has taken the key rotations of the package it has
/// not taken yet.
asio::awaitable<Result<link::Identity>> make_ready(flasher::Flasher& device, const package::Package& package,
                                                   ProgressLine& line) {
    auto identity = co_await device.identify();
    if (!identity) co_return identity;
    if (identity->running.state == flasher::kImageOnTrial) {
        line.clear();
        remark("the device tries " + image_name(identity->running) +
               " and takes nothing else until that has ended; waiting");
        identity = co_await device.after_trial(
            *identity, [&](const flasher::Progress& progress) { line.show(progress); });
        if (!identity) co_return identity;
    }
    if (const package::Entry* const entry = package.find(identity->hardware.view()))
        for (std::size_t i = 0; i < entry->manifest.requires_count; ++i) {
            const Requirement& required = entry->manifest.required[i];
            remark("the package requires " + std::string(required.name.view()) + " to run " +
                   std::string(required.version.view()) + " or newer; nobody checks that here, mcuotad does");
        }
    const std::vector<package::Bytes> rotations = package::rotations_for(package, *identity);
    for (const package::Bytes& record : rotations) {
        auto generation = co_await device.rotate(record);
        if (!generation) co_return std::move(generation).error().while_doing("handing over a key rotation");
        remark("the device's keys are now generation " + std::to_string(*generation));
    }
    if (!rotations.empty()) identity = co_await device.identify();
    co_return identity;
}

asio::awaitable<Result<void>> carry_out(flasher::Flasher& device, const Common& common,
                                        const PushOptions& options, const package::Package& package,
                                        Course& course) {
    const Clock::time_point begin = Clock::now();
    ProgressLine line;
    line.show({});
    const auto identity = co_await make_ready(device, package, line);
    if (!identity) co_return identity.error();
    const auto candidates = package::candidates_for(package, *identity, options.full);
    if (!candidates) co_return candidates.error();
    const Manifest& manifest = candidates->entry->manifest;
    // Cheapest first; the next one when the device refuses a payload before it has touched anything.
    for (std::size_t at = 0;; ++at) {
        course.chosen = candidates->fitting[at];
        const package::Envelope envelope =
            package::make_envelope(*candidates->entry, course.chosen.payload_index);
        auto report = co_await send_and_install(device, envelope, course, line);
        line.clear();
        if (report && report->status == Status::ok)
            co_return tell_success(common, manifest, report->identity, course, since(begin));
        Error why = report ? failed_install(manifest, *report) : std::move(report).error();
        if (!next_may_do(course, *candidates, at, why)) co_return why;
    }
}

}  // namespace

Result<void> push(const Common& common, const PushOptions& options) {
    const auto package = package::read(options.file);
    if (!package) return package.error();
    package::Keyring keys;
    for (const std::string& file : options.pubkeys)
        if (auto added = keys.add_file(file); !added) return added;
    if (!keys.empty())
        for (const package::Entry& entry : package->entries)
            if (auto good = keys.verify(entry); !good) return good;

    Course course;
    flasher::Options limits;
    limits.install_timeout_ms = options.install_timeout_s * 1'000;
    auto done = with_device(common, limits, [&](flasher::Flasher& device) {
        return carry_out(device, common, options, *package, course);
    });
    if (!done && done.error().code == ErrorCode::cancelled) return stopped(course);
    return done;
}

}  // namespace mcuota::flash
