// How mcuota-pack talks.

#include "mcu_flasher/package/cli/output.hpp"

#include <unistd.h>

#include <boost/json/serialize.hpp>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>

namespace mcuota::pack {

void print_json(const boost::json::object& document) {
    std::cout << boost::json::serialize(document) << '\n';
}

void remark(std::string_view text) {
    std::cerr << "mcuota-pack: " << text << '\n';
}

void report(const Error& error, bool json) {
    std::cerr << "mcuota-pack: " << (error.what.empty() ? std::string(summary(error.code)) : error.what)
              << " (" << to_string(error.code) << ")\n";
    if (!error.next.empty()) std::cerr << "  " << error.next << '\n';
    if (json)
        print_json({{"error",
                     {{"code", to_string(error.code)},
                      {"class", to_string(error.cls())},
                      {"message", error.what},
                      {"next", error.next}}}});
}

std::string bar_text(std::string_view what, std::size_t done, std::size_t total, double elapsed_s) {
    constexpr std::size_t kWidth = 24;
    const std::size_t filled = kWidth * done / total;
    std::string out = std::string(what) + " [" + std::string(filled, '#') +
                      std::string(kWidth - filled, '.') + "] " + std::to_string(100 * done / total) + " %, " +
                      std::to_string(done) + " of " + std::to_string(total);
    if (done < total && 10 * done >= total && done != 0)
        out += ", " +
               duration_text(elapsed_s * static_cast<double>(total - done) / static_cast<double>(done)) +
               " left";
    return out;
}

ProgressBar::ProgressBar(std::string what)
    : what_(std::move(what)),
      visible_(isatty(STDERR_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr),
      begin_(std::chrono::steady_clock::now()) {}

ProgressBar::~ProgressBar() {
    if (shown_) std::cerr << "\r\033[K" << std::flush;
}

void ProgressBar::show(std::size_t done, std::size_t total) {
    if (!visible_ || total == 0) return;
    if (!shown_) begin_ = std::chrono::steady_clock::now();
    shown_ = true;
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin_;
    std::cerr << "\r\033[K" << bar_text(what_, done, total, elapsed.count()) << std::flush;
}

std::string duration_text(double seconds) {
    char text[32];
    if (seconds < 0.9995) {
        std::snprintf(text, sizeof text, "%.0f ms", std::max(1.0, seconds * 1000));
    } else if (seconds < 9.95) {
        std::snprintf(text, sizeof text, "%.1f s", seconds);
    } else if (seconds < 99.5) {
        std::snprintf(text, sizeof text, "%.0f s", seconds);
    } else {
        const auto whole = static_cast<long>(std::lround(seconds));
        std::snprintf(text, sizeof text, "%ld min %02ld s", whole / 60, whole % 60);
    }
    return text;
}

std::string percent_text(double part, double whole) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f %%", whole == 0 ? 0.0 : 100 * part / whole);
    return text;
}

std::string printable(std::string_view name) {
    std::string out(name);
    for (char& c : out)
        if (c < 0x20 || c >= 0x7F) c = '?';
    return out;
}

std::string address_text(std::uint32_t address) {
    char text[16];
    std::snprintf(text, sizeof text, "0x%08X", address);
    return text;
}

}  // namespace mcuota::pack
