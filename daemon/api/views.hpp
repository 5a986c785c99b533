#pragma once
// What the socket API and the CLI show of the gateway: plain structs, and their one JSON form
// (docs/openapi.yaml). Not for storage: the database has its own types, store_views.hpp maps them.

#include <array>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mcu_flasher/base/result.hpp"

namespace mcuota::api {

/// Milliseconds since 1970-01-01T00:00:00Z.
using TimeMs = std::int64_t;

/// Names of the job states, in the order of their life. Released: only grows.
inline constexpr std::array<std::string_view, 11> kJobStates{
    "queued", "downloading", "verifying", "waiting", "sending",  "installing",
    "trial",  "succeeded",   "reverting", "failed",  "cancelled"};
[[nodiscard]] bool is_job_state(std::string_view name) noexcept;
/// succeeded, failed or cancelled: nothing more will happen to the job.
[[nodiscard]] bool is_finished(std::string_view state) noexcept;

/// Who asked for a job. kind: "cloud" or "local"; provider: name of the [[cloud]] entry, or the person's
/// account name.
struct SourceView {
    std::string kind;
    std::string provider;
    std::string request_id;  ///< the cloud's id of its push; empty (JSON null) for local jobs
};

/// What a job does right now. `step` is one of these words (an unknown one is shown as it is):
///  queued: queue · downloading: download · verifying: verify · waiting: backoff, new_url, device, link,
///  window, operator sending: connect, prepare, send, check · installing: check, rehearse, back_up, apply,
///  verify · trial: trial reverting: restore · finished: done
struct ProgressView {
    std::string step;
    std::uint8_t percent{0};  ///< of the whole job, 0…100; 100 only when succeeded
    std::uint64_t bytes{0};   ///< done in this step (download, send); 0 where bytes mean nothing
    std::uint64_t bytes_total{0};
    std::uint64_t bytes_per_second{0};  ///< 0: not known
};

/// One step in the life of a job.
struct TransitionView {
    TimeMs at_ms{0};
    std::string from;  ///< empty (JSON null) for the first
    std::string to;
    std::string reason;
};

/// One job: what a cloud or person asked for one device. Empty strings and zero payload bytes are JSON null.
struct JobView {
    std::int64_t id{0};
    std::string device;
    std::string hardware;
    SourceView source;
    std::string state;
    std::string from_version;
    std::string to_version;
    std::string
        payload_kind;  ///< raw, lzma, lzma-thumb, hdiffsf20, hdiff13, relocated; empty: not chosen yet
    std::uint64_t payload_bytes{0};
    ProgressView progress;
    std::uint32_t attempts{0};
    /// Why it failed or, in an unfinished job, why the last attempt ended; `next` says what helps.
    std::optional<Error> error;
    TimeMs created_at_ms{0};
    TimeMs updated_at_ms{0};
    std::optional<TimeMs> finished_at_ms;
    /// Only filled where a single job is asked for.
    std::vector<TransitionView> transitions;
};

/// One image a device holds. state: confirmed, trial, damaged; valid or damaged for a backup.
struct ImageView {
    std::string version;
    std::string state;
    std::string sha256;  ///< lower-case hex
    std::uint64_t bytes{0};
    std::optional<std::uint32_t> security_counter;
};

/// One configured device and what it last said about itself. Nothing but the configuration is known before it
/// is first heard.
struct DeviceView {
    std::string name;
    std::string hardware;
    std::string link;   ///< as configured: "uart:/dev/ttyUSB0:921600"
    std::string cloud;  ///< name of the [[cloud]] entry; empty: none
    std::string module;
    std::optional<bool> reachable;     ///< outcome of the last try to talk to it; nullopt: not tried yet
    std::optional<TimeMs> seen_at_ms;  ///< last answer
    std::string role;                  ///< "agent" (application runs) or "loader"; empty: unknown
    std::string unique_id;             ///< hex
    std::string loader_version;
    std::string agent_version;
    std::optional<ImageView> running;
    std::optional<ImageView> backup;
    std::optional<std::uint32_t> security_counter_floor;
    /// Why it stays in the loader, or what its memory cannot do while its application runs, in words; empty:
    /// all is well.
    std::string stay_reason;
    std::optional<Error> error;              ///< why the last try to reach it failed
    std::optional<std::int64_t> active_job;  ///< its unfinished job
};

/// One cloud link.
struct CloudView {
    std::string name;
    std::string provider;  ///< aliyun, …
    std::string host;
    bool up{false};
    std::string why;  ///< why not up
    std::optional<TimeMs> since_ms;
    std::uint64_t reports_pending{0};  ///< waiting in the outbox
};

/// The daemon itself.
struct DaemonView {
    bool running{true};  ///< false: read from the database while the daemon is down
    std::string version;
    std::optional<TimeMs> started_at_ms;
    std::string state_dir;
};

/// One screen.
struct StatusView {
    DaemonView daemon;
    std::vector<CloudView> clouds;
    std::vector<DeviceView> devices;
    std::vector<JobView> jobs;      ///< unfinished ones, oldest first
    std::vector<JobView> failures;  ///< newest first; a later success of the same device removes them
};

/// What a package file offers one hardware type.
struct PackageEntryView {
    std::string hardware;
    std::string version;
    std::uint32_t security_counter{0};
    std::uint64_t image_bytes{0};
    std::string image_sha256;
    std::string key_id;
    std::vector<std::string> payload_kinds;
};

/// One package in the gateway's cache.
struct PackageView {
    std::string sha256;  ///< of the file: its name in the cache
    std::uint64_t bytes{0};
    std::vector<PackageEntryView> entries;
};

/// What an installation request means for one device.
struct InstallView {
    std::string device;
    std::optional<std::int64_t> job;  ///< nullopt in a dry run and when up to date
    bool up_to_date{false};           ///< this very image already runs there, confirmed
    std::string from_version;         ///< empty: not known
    std::string to_version;
    std::string payload_kind;  ///< empty: chosen when the device is asked
    std::uint64_t payload_bytes{0};
};

/// RFC 3339 in UTC with milliseconds: "2026-11-21T10:00:00.250Z".
[[nodiscard]] std::string rfc3339(TimeMs at_ms);
/// Reads RFC 3339 (any offset), a plain date, or an age such as "90s", "15m", "2h", "3d" before `now_ms`.
[[nodiscard]] Result<TimeMs> parse_time(std::string_view text, TimeMs now_ms);

[[nodiscard]] boost::json::object to_json(
    const JobView& job);  ///< shape of `mcuota job list --json` elements
[[nodiscard]] boost::json::object to_json_with_transitions(const JobView& job);
[[nodiscard]] boost::json::object to_json(const DeviceView& device);
[[nodiscard]] boost::json::object to_json(const CloudView& cloud);
[[nodiscard]] boost::json::object to_json(const StatusView& status);
[[nodiscard]] boost::json::object to_json(const PackageView& package);
[[nodiscard]] boost::json::object to_json(const InstallView& install);
/// {"code","class","message","next"}
[[nodiscard]] boost::json::object to_json(const Error& error);

}  // namespace mcuota::api
