#pragma once
// Follows jobs until they end: bars on a terminal, one line a change elsewhere, one JSON document a change
// with --json. Survives a restart of the daemon.

#include <boost/json/value.hpp>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "daemon/cli/client.hpp"
#include "daemon/cli/terminal.hpp"
#include "mcu_flasher/base/result.hpp"

namespace mcuota::cli {

/// Draws jobs on one stream.
class WatchScreen {
  public:
    enum class Form : std::uint8_t { bars, lines, json, silent };
    WatchScreen(std::FILE* stream, const Style& style, Form form)
        : stream_(stream), style_(style), form_(form) {}
    /// A job's newest state.
    void show(const boost::json::value& job);
    /// A line that stays, above the bars.
    void say(const std::string& line);
    /// Draws the bars again (time goes by without events, too).
    void redraw();
    [[nodiscard]] const std::map<std::int64_t, boost::json::value>& jobs() const noexcept { return jobs_; }

  private:
    void erase_bars();
    std::FILE* stream_;
    Style style_;
    Form form_;
    std::map<std::int64_t, boost::json::value> jobs_;
    std::map<std::int64_t, std::string> told_;  ///< what was said last about each job
    std::size_t bars_drawn_{0};
    std::int64_t drawn_at_ms_{0};
};

/// How watching ended.
struct Watched {
    bool interrupted{false};
    std::map<std::int64_t, boost::json::value> jobs;  ///< last known state of each
};

/// Watches these jobs until all have ended, or, when there are none named, everything until Ctrl-C, which
/// `interrupts` hears.
/// daemon_unreachable when the daemon goes away and does not come back within `patience_ms`.
[[nodiscard]] Result<Watched> watch(Client& client, const std::vector<std::int64_t>& ids, WatchScreen& screen,
                                    Interrupts& interrupts, std::int64_t patience_ms = 120'000);

}  // namespace mcuota::cli
