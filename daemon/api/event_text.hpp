#pragma once
// Changes as server-sent events: their text, and who wants to hear them.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "daemon/api/backend.hpp"

namespace mcuota::api {

/// The key by which an event replaces an older one about the same thing, and "event: job\ndata: {…}\n\n".
[[nodiscard]] std::pair<std::string, std::string> event_text(const Event& event);

/// Whether a listener for the jobs `only` (empty: for everything) wants the event.
[[nodiscard]] bool wanted(const std::vector<std::int64_t>& only, const Event& event);

}  // namespace mcuota::api
