#pragma once
// Which request means what: method and target of an HTTP request as a value, checked completely. No sockets,
// no backend.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "daemon/api/backend.hpp"

namespace mcuota::api {

enum class Action : std::uint8_t {
    status,    ///< GET /v1/status
    devices,   ///< GET /v1/devices
    device,    ///< GET /v1/devices/{name}
    refresh,   ///< POST /v1/devices/{name}/refresh
    rollback,  ///< POST /v1/devices/{name}/rollback
    jobs,      ///< GET /v1/jobs?state=&device=&since=&limit=
    job,       ///< GET /v1/jobs/{id}
    install,   ///< POST /v1/jobs
    cancel,    ///< POST /v1/jobs/{id}/cancel
    retry,     ///< POST /v1/jobs/{id}/retry
    upload,    ///< POST /v1/packages
    events,    ///< GET /v1/events?job=ID,ID
};

/// A request that makes sense.
struct Route {
    Action action{Action::status};
    std::string name;                ///< of the device
    std::int64_t id{0};              ///< of the job
    JobFilter filter;                ///< jobs
    std::vector<std::int64_t> only;  ///< events: of these jobs alone; empty: of everything
    /// Needs the right to change things, not only to read.
    [[nodiscard]] bool changes() const noexcept;
};

/// Why a request cannot be served, with its HTTP status.
struct Refusal {
    int http_status{400};
    Error error;
    std::string allow;  ///< 405: the methods this address knows
};

/// Most jobs one event stream can be asked for by number.
inline constexpr std::size_t kEventJobsMax = 256;

/// Most jobs one answer lists.
inline constexpr std::uint32_t kJobsLimitMax = 1000;

/// `target` is the request target as received: path and query, percent-encoded.
[[nodiscard]] std::variant<Route, Refusal> route(std::string_view method, std::string_view target,
                                                 TimeMs now_ms);

/// HTTP status that fits an error.
[[nodiscard]] int http_status(ErrorCode code) noexcept;

/// Undoes %XX; nullopt for a broken escape or a NUL.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);
[[nodiscard]] std::string percent_encode(std::string_view text);

}  // namespace mcuota::api
