#pragma once
// How mcuota-flash talks: results to standard output, remarks and progress to standard error.

#include <boost/json/object.hpp>
#include <chrono>
#include <string>
#include <string_view>

#include "mcu_flasher/flasher.hpp"

namespace mcuota::flash {

/// One JSON document and a line end on standard output.
void print_json(const boost::json::object& document);
/// A line on standard error, "mcuota-flash: " in front.
void remark(std::string_view text);
/// An error: in words on standard error and, when asked for, as {"error":{…}} on standard output.
void report(const Error& error, bool json);

/// The progress of a push, a line on standard error that is written over; only on a terminal, and not with
/// NO_COLOR.
class ProgressLine {
  public:
    ProgressLine();
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;
    ~ProgressLine();
    void show(const flasher::Progress& progress);
    void show(std::string_view doing, unsigned percent);
    void clear();

  private:
    void put(const std::string& text, std::chrono::steady_clock::time_point now);

    bool visible_;
    bool shown_{false};
    std::string last_;
    std::chrono::steady_clock::time_point sending_since_{}, shown_at_{};
    bool sending_{false};
};

/// Bar, rate, time left and what is being waited for, for one moment of a transfer. `seconds` since sending
/// began.
[[nodiscard]] std::string progress_text(const flasher::Progress& progress, double seconds);

[[nodiscard]] std::string bytes_text(std::uint64_t bytes);
[[nodiscard]] std::string duration_text(double seconds);
/// The first 8 bytes of a hash, enough for people.
[[nodiscard]] std::string short_hash(const Sha256Digest& digest);
/// "confirmed", "on trial", …
[[nodiscard]] std::string_view image_state(std::uint8_t state);
/// "2.0.0 (3f9a01bc…)", or "an image without a version".
[[nodiscard]] std::string image_name(const link::ImageInfo& image);

}  // namespace mcuota::flash
