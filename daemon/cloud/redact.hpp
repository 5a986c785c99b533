#pragma once
// Keeps what must not be read by others out of logs, errors and reports.

#include <string>
#include <string_view>

namespace mcuota::cloud {

/// `text` with the query of every http(s) url replaced by "?…": pre-signed urls carry their permission there.
/// User and password in front of the host go as well.
[[nodiscard]] std::string redact_urls(std::string_view text);

}  // namespace mcuota::cloud
