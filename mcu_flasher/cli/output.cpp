// How mcuota-flash talks.
#include "mcu_flasher/cli/output.hpp"

#include <unistd.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "mcu_flasher/base/hex.hpp"
#include "mcu_flasher/base/status_text.hpp"
#include "mcu_flasher/link/image_state.hpp"

namespace mcuota::flash {

namespace {

constexpr auto kRefresh = std::chrono::milliseconds{100};

std::string_view step_text(link::Step step) {
    switch (step) {
        case link::Step::check:
            return "checking the package";
        case link::Step::rehearse:
            return "rehearsing: decoding without writing";
        case link::Step::back_up:
            return "backing up the running image";
        case link::Step::apply:
            return "writing the new image";
        case link::Step::verify:
            return "verifying what was written";
        case link::Step::trial:
            return "waiting for the new image to confirm itself";
        case link::Step::restore:
            return "putting the backup image back";
    }
    return "working";
}

std::string bar(std::uint64_t done, std::uint64_t total) {
    constexpr std::size_t kWidth = 24;
    const std::size_t filled =
        total == 0 ? 0 : static_cast<std::size_t>(kWidth * std::min(done, total) / total);
    return "[" + std::string(filled, '#') + std::string(kWidth - filled, '.') + "]";
}

std::string percent(std::uint64_t done, std::uint64_t total) {
    return std::to_string(total == 0 ? 0 : 100 * done / total) + " %";
}

}  // namespace

void print_json(const boost::json::object& document) {
    std::cout << boost::json::serialize(document) << '\n';
}

void remark(std::string_view text) {
    std::cerr << "mcuota-flash: " << text << '\n';
}

void report(const Error& error, bool json) {
    std::cerr << "mcuota-flash: " << (error.what.empty() ? std::string(summary(error.code)) : error.what)
              << " (" << to_string(error.code) << ")\n";
    if (!error.next.empty()) std::cerr << "  " << error.next << '\n';
    if (!json) return;
    boost::json::object body{{"code", to_string(error.code)},
                             {"class", to_string(error.cls())},
                             {"message", error.what},
                             {"next", error.next}};
    if (error.device_status != 0) body["device_status"] = to_string(static_cast<Status>(error.device_status));
    print_json({{"error", std::move(body)}});
}

ProgressLine::ProgressLine() : visible_(isatty(STDERR_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr) {}

ProgressLine::~ProgressLine() {
    clear();
}

void ProgressLine::clear() {
    if (visible_ && shown_) std::cerr << "\r\033[K" << std::flush;
    shown_ = false;
    last_.clear();
}

void ProgressLine::show(const flasher::Progress& progress) {
    if (!visible_) return;
    const auto now = std::chrono::steady_clock::now();
    const bool sending = progress.phase == flasher::Progress::Phase::sending;
    if (sending && !sending_) sending_since_ = now;
    const bool turned = sending != sending_;
    sending_ = sending;
    if (!turned && now - shown_at_ < kRefresh) return;
    const std::string text =
        progress_text(progress, std::chrono::duration<double>(now - sending_since_).count());
    put(text, now);
}

void ProgressLine::show(std::string_view doing, unsigned percent_done) {
    if (visible_)
        put(bar(percent_done, 100) + " " + percent(percent_done, 100) + "  " + std::string(doing),
            std::chrono::steady_clock::now());
}

void ProgressLine::put(const std::string& text, std::chrono::steady_clock::time_point now) {
    if (text == last_) return;
    shown_at_ = now;
    last_ = text;
    shown_ = true;
    std::cerr << "\r\033[K" << text << std::flush;
}

std::string progress_text(const flasher::Progress& progress, double seconds) {
    using Phase = flasher::Progress::Phase;
    switch (progress.phase) {
        case Phase::connecting:
            return "waiting for the device to answer";
        case Phase::preparing:
            return "waiting for the device to say what it holds already";
        case Phase::checking:
            return "waiting for the device to check signature and hash";
        case Phase::sending:
            break;
        case Phase::installing:
        case Phase::trial: {
            if (!progress.step) return "waiting for the loader";
            const std::string step{step_text(*progress.step)};
            if (progress.phase == Phase::trial) return step;
            return bar(progress.bytes, progress.bytes_total) + " " +
                   percent(progress.bytes, progress.bytes_total) + "  " + step;
        }
    }
    std::string out = "sending " + bar(progress.bytes, progress.bytes_total) + " " +
                      percent(progress.bytes, progress.bytes_total);
    const auto fresh = static_cast<double>(progress.bytes - std::min(progress.bytes, progress.resumed_from));
    if (seconds > 0.2 && fresh > 0) {
        const double rate = fresh / seconds;
        const auto left = static_cast<double>(progress.bytes_total - progress.bytes);
        out += "  " + bytes_text(static_cast<std::uint64_t>(rate)) + "/s  " + duration_text(left / rate) +
               " left";
    }
    if (progress.resumed_from != 0)
        out += "  resumed at " + percent(progress.resumed_from, progress.bytes_total);
    if (progress.frames_resent != 0)
        out += "  " + std::to_string(progress.frames_resent) + " frames sent again";
    return out;
}

std::string bytes_text(std::uint64_t bytes) {
    constexpr double kKibi = 1024;
    if (bytes < 10 * 1024) return std::to_string(bytes) + " B";
    char text[32];
    const double kib = static_cast<double>(bytes) / kKibi;
    if (kib < 10 * kKibi) {
        (void)std::snprintf(text, sizeof text, "%.1f KiB", kib);
    } else {
        (void)std::snprintf(text, sizeof text, "%.1f MiB", kib / kKibi);
    }
    return text;
}

std::string duration_text(double seconds) {
    char text[32];
    if (seconds < 9.95) {
        (void)std::snprintf(text, sizeof text, "%.1f s", seconds);
    } else if (seconds < 119.5) {
        (void)std::snprintf(text, sizeof text, "%.0f s", seconds);
    } else {
        const long whole = std::lround(seconds);
        (void)std::snprintf(text, sizeof text, "%ld min %02ld s", whole / 60, whole % 60);
    }
    return text;
}

std::string short_hash(const Sha256Digest& digest) {
    return to_hex(std::span(digest).first(8));
}

std::string_view image_state(std::uint8_t state) {
    switch (state) {
        case flasher::kNoImage:
            return "none";
        case flasher::kImageConfirmed:
            return "confirmed";
        case flasher::kImageOnTrial:
            return "on trial";
        case flasher::kImageDamaged:
            return "damaged";
        default:
            return "in a state this version does not know";
    }
}

std::string image_name(const link::ImageInfo& image) {
    const std::string version =
        image.version.length == 0 ? "an image without a version" : std::string(image.version.view());
    return version + " (" + short_hash(image.sha256) + ")";
}

}  // namespace mcuota::flash
