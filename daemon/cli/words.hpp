#pragma once
// The API's JSON in words: lines and screens for people.

#include <boost/json/value.hpp>
#include <cstdint>
#include <string>

#include "daemon/cli/terminal.hpp"

namespace mcuota::cli {

/// One screen: cloud links, devices, running jobs, last failures.
[[nodiscard]] std::string status_text(const boost::json::value& status, const Style& style,
                                      std::int64_t now_ms);
[[nodiscard]] std::string devices_text(const boost::json::value& devices, const Style& style,
                                       std::int64_t now_ms);
[[nodiscard]] std::string device_text(const boost::json::value& device, const Style& style,
                                      std::int64_t now_ms);
[[nodiscard]] std::string jobs_text(const boost::json::value& jobs, const Style& style, std::int64_t now_ms);
/// The life of one job.
[[nodiscard]] std::string job_text(const boost::json::value& job, const Style& style, std::int64_t now_ms);

/// "1.0.0 → 2.0.0"; only the new one when the old is not known.
[[nodiscard]] std::string versions_of(const boost::json::value& job, const Style& style);
/// What the job does or waits for: "sending", "waiting for a new download address", …
[[nodiscard]] std::string doing(const boost::json::value& job);
/// "9.2 kB/s, 4 s left"; empty when nothing is known.
[[nodiscard]] std::string pace_of(const boost::json::value& job);
/// How a line of the watcher begins: device and versions.
[[nodiscard]] std::string watch_head(const boost::json::value& job, const Style& style);
/// One line of the watcher, its head padded to `head_columns`; with a bar on a terminal.
[[nodiscard]] std::string watch_line(const boost::json::value& job, const Style& style,
                                     std::size_t head_columns = 0);
/// "job 7 on pump-3: 2.0.0 runs there, confirmed" and the like, with the next step on a line of its own.
[[nodiscard]] std::string outcome_text(const boost::json::value& job, const Style& style);

}  // namespace mcuota::cli
