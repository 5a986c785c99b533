#pragma once
// How mcuota-pack talks: results to standard output, remarks and progress to standard error.

#include <boost/json/object.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "mcu_flasher/base/error.hpp"

namespace mcuota::pack {

/// One JSON document and a line end on standard output.
void print_json(const boost::json::object& document);
/// A line on standard error, "mcuota-pack: " in front.
void remark(std::string_view text);
/// An error: in words on standard error and, when asked for, as {"error":{…}} on standard output.
void report(const Error& error, bool json);

/// "encoding [####....] 50 %, 11 of 22, 3 s left": what a progress bar shows. The time left is told once a
/// tenth is done.
[[nodiscard]] std::string bar_text(std::string_view what, std::size_t done, std::size_t total,
                                   double elapsed_s);

/// A progress bar on standard error, only when that is a terminal and NO_COLOR is not set. Cleared by the
/// destructor.
class ProgressBar {
  public:
    explicit ProgressBar(std::string what);
    ProgressBar(const ProgressBar&) = delete;
    ProgressBar& operator=(const ProgressBar&) = delete;
    ~ProgressBar();
    void show(std::size_t done, std::size_t total);

  private:
    std::string what_;
    bool visible_;
    bool shown_{false};
    std::chrono::steady_clock::time_point begin_;
};

/// "850 ms", "12 s", "3 min 20 s".
[[nodiscard]] std::string duration_text(double seconds);
/// "49.6 %".
[[nodiscard]] std::string percent_text(double part, double whole);
/// A name from outside, fit for a terminal: other than printable ASCII becomes "?".
[[nodiscard]] std::string printable(std::string_view name);
/// "0x08020000".
[[nodiscard]] std::string address_text(std::uint32_t address);

}  // namespace mcuota::pack
