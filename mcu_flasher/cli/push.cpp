// mcuota-flash push: a package into a device, up to the device's own word about how it ended.
#include <chrono>
#include <iostream>

#include "mcu_flasher/base/hex.hpp"
#include "mcu_flasher/base/status_text.hpp"
#include "mcu_flasher/cli/commands.hpp"
#include "mcu_flasher/cli/output.hpp"
#include "mcu_flasher/link/device_error.hpp"
#include "mcu_flasher/package/package.hpp"

namespace mcuota::flash {

namespace asio = boost::asio;

namespace {

constexpr std::uint8_t kConfirmed = 1;

/// What a push has done so far, for the report at its end and for the word after a Ctrl-C.
struct Course {
    enum class Stage : std::uint8_t { before, sending, installing } stage{Stage::before};
    flasher::Progress sent;
    double send_seconds{0};
};

/// Which image runs now, after an installation that did not succeed.
std::string what_runs_now(const link::Identity& id) {
    if (id.running.state == kConfirmed && id.role == link::Role::agent)
        return image_name(id.running) + " runs again";
    if (id.running.state == kConfirmed && id.stay_reason == Status::ok)
        return image_name(id.running) + " runs again";
    const std::string backup = id.backup.state == 0 ? " and there is no backup image to go back to" : "";
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
    if (id.running.sha256 != manifest.image_sha256 || id.running.state != kConfirmed)
        return Error{ErrorCode::install_unproven,
                     "the device says done, but reports " + image_name(id.running) + ", " +
                         std::string(image_state(id.running.state)) + ", instead of " +
                         std::string(manifest.version.view()),
                     "look at it: mcuota-flash info, mcuota-flash log"};
    const std::uint64_t carried = course.sent.bytes_total - course.sent.resumed_from;
    if (common.json) {
        print_json({{"outcome", "confirmed"},
                    {"hardware", id.hardware.view()},
                    {"version", id.running.version.view()},
                    {"image_sha256", to_hex(id.running.sha256)},
                    {"bytes_total", course.sent.bytes_total},
                    {"bytes_sent", carried},
                    {"resumed_from", course.sent.resumed_from},
                    {"frames_resent", course.sent.frames_resent},
                    {"send_seconds", course.send_seconds},
                    {"seconds", seconds}});
        return {};
    }
    std::cout << id.running.version.view() << " runs on " << id.hardware.view() << " ("
              << short_hash(id.running.sha256) << "), confirmed; " << bytes_text(carried) << " sent in "
              << duration_text(course.send_seconds) << ", all done in " << duration_text(seconds) << '\n';
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

asio::awaitable<Result<void>> carry_out(flasher::Flasher& device, const Common& common,
                                        const PushOptions& options, const package::Package& package,
                                        Course& course) {
    const Clock::time_point begin = Clock::now();
    ProgressLine line;
    line.show({});
    auto identity = co_await device.identify();
    if (!identity) co_return std::move(identity).error();
    auto envelope = package::envelope_for(package, *identity, options.full);
    if (!envelope) co_return std::move(envelope).error();
    const package::Entry* const entry = package.find(identity->hardware.view());
    if (entry == nullptr)
        co_return Error{ErrorCode::wrong_hardware,
                        "the package has nothing for " + std::string(identity->hardware.view()),
                        "mcuota-pack inspect shows what it holds"};

    course.stage = Course::Stage::sending;
    const Clock::time_point send_begin = Clock::now();
    auto sent = co_await device.send(envelope->bytes, [&](const flasher::Progress& progress) {
        course.sent = progress;
        line.show(progress);
    });
    course.send_seconds = since(send_begin);
    if (!sent) co_return std::move(sent).error();

    course.stage = Course::Stage::installing;
    auto report =
        co_await device.install(new_token(), [&](const flasher::Progress& progress) { line.show(progress); });
    line.clear();
    if (!report) co_return std::move(report).error();
    if (report->status != Status::ok) co_return failed_install(entry->manifest, *report);
    co_return tell_success(common, entry->manifest, report->identity, course, since(begin));
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
