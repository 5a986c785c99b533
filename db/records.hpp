#pragma once
// The rows of the state database as plain values. Enum numbers are stored: append only.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mcu_flasher/base/error.hpp"

namespace mcuota::db {

/// Milliseconds since 1970-01-01T00:00:00Z.
using TimeMs = std::int64_t;

/// Where a job stands.
enum class JobState : std::uint8_t {
    queued = 0,       ///< accepted and written down; nothing else has happened
    downloading = 1,  ///< the artifact is incomplete in the cache
    verifying = 2,    ///< bytes complete; form, signature, hardware and version pending
    waiting = 3,      ///< for what `wait_reason` says; goes on with `resume_state`
    sending = 4,      ///< bytes travel to the device; the old image still runs
    installing = 5,   ///< the loader owns the device; only it may decide
    trial = 6,        ///< the new image runs, not yet confirmed
    succeeded = 7,    ///< the device said that it runs the wanted image, confirmed
    reverting = 8,    ///< the loader is putting the old image back
    failed = 9,
    cancelled = 10,
};
inline constexpr std::array kJobStates{JobState::queued,  JobState::downloading, JobState::verifying,
                                       JobState::waiting, JobState::sending,     JobState::installing,
                                       JobState::trial,   JobState::succeeded,   JobState::reverting,
                                       JobState::failed,  JobState::cancelled};
[[nodiscard]] std::string_view to_string(JobState state) noexcept;
[[nodiscard]] std::optional<JobState> job_state_from(std::string_view name) noexcept;
/// Nothing more will happen to the job by itself.
[[nodiscard]] bool is_finished(JobState state) noexcept;

/// What a waiting job waits for.
enum class WaitReason : std::uint8_t { none = 0, backoff = 1, new_url = 2 };
/// "backoff", "new_url"; empty for none.
[[nodiscard]] std::string_view to_string(WaitReason reason) noexcept;

enum class SourceKind : std::uint8_t { cloud = 0, local = 1 };
/// "cloud", "local".
[[nodiscard]] std::string_view to_string(SourceKind kind) noexcept;

/// What a job is to bring about.
enum class JobGoal : std::uint8_t {
    install = 0,   ///< the image of a package runs
    rollback = 1,  ///< the image the device keeps as its backup runs again
};

/// One job: what a cloud or person asked for one device.
struct JobRecord {
    std::int64_t id{0};
    std::string device;
    std::string hardware;  ///< as configured for the device
    std::string module;    ///< the cloud's name of the firmware; empty: the default
    SourceKind source_kind{SourceKind::cloud};
    std::string provider;    ///< name of the [[cloud]] entry, or the person's account name
    std::string request_id;  ///< the cloud's id of its push; empty for local jobs
    JobGoal goal{JobGoal::install};
    JobState state{JobState::queued};
    JobState resume_state{JobState::queued};  ///< only in waiting
    WaitReason wait_reason{WaitReason::none};
    TimeMs wait_until_ms{0};
    std::uint32_t attempts{0};  ///< tries that failed or are under way
    bool full_only{false};      ///< no deltas
    std::string from_version;   ///< what ran there when the transfer began; empty: not known
    std::string to_version;
    std::string url;              ///< byte for byte as received; a secret: never in logs
    std::uint64_t size_bytes{0};  ///< announced; 0: not known
    std::uint8_t digest_kind{0};  ///< cloud::DigestKind
    std::string digest_hex;
    std::string digest_sign;
    bool is_diff{false};
    std::string package_sha256;  ///< its name in the cache; empty: not there yet
    std::string image_sha256;    ///< what must run there in the end; empty: not known yet
    std::string payload_kind;
    std::uint64_t payload_bytes{0};
    std::int32_t payload_index{-1};     ///< of the package's entry: what the device holds; -1: nothing yet
    std::uint32_t payloads_refused{0};  ///< bit n: the device refused payload n of the entry
    std::uint64_t install_token{0};
    std::uint8_t told_percent{0};  ///< last progress told upstream
    std::uint8_t percent{0};       ///< how far it had come when this was last written
    std::optional<Error> error;
    TimeMs created_at_ms{0};
    TimeMs updated_at_ms{0};
    std::optional<TimeMs> finished_at_ms;
};

/// One step in the life of a job.
struct TransitionRecord {
    TimeMs at_ms{0};
    std::optional<JobState> from;  ///< nullopt: the first
    JobState to{JobState::queued};
    std::string reason;
};

/// One image a device holds. state: docs/link-protocol.md §4, tags 6 and 8.
struct ImageRecord {
    std::uint8_t state{0};
    std::string version;
    std::string sha256;
    std::uint64_t bytes{0};
    std::uint32_t security_counter{0};  ///< not kept for a backup
};

/// One configured device and what it last said.
struct DeviceRecord {
    std::string name;
    std::string hardware;
    bool configured{true};
    std::optional<bool> reachable;  ///< outcome of the last try; nullopt: never tried
    std::optional<TimeMs> tried_at_ms;
    std::optional<TimeMs> seen_at_ms;
    std::uint8_t role{0};  ///< 0 unknown, 1 loader, 2 agent
    std::string unique_id;
    std::string loader_version;
    std::string agent_version;
    ImageRecord running;
    ImageRecord backup;
    std::uint32_t security_counter_floor{0};
    std::uint16_t stay_reason{0};  ///< device status; 0: it does not stay in the loader
    std::optional<Error> error;    ///< why the last try to reach it failed
};

/// Resume point of a download (download::Mark).
struct DownloadRecord {
    std::uint64_t offset_bytes{0};
    std::string etag;
    std::string digest_state;
};

struct PackageRecord {
    std::string sha256;
    std::uint64_t size_bytes{0};
    TimeMs added_at_ms{0};
    TimeMs used_at_ms{0};
};

/// One message for a cloud.
struct OutboxRecord {
    std::int64_t id{0};
    std::string provider;
    std::string device;
    std::string topic;
    std::string payload;
    int qos{1};
    std::string coalesce_key;
};

/// Who asked for what.
struct AuditRecord {
    std::int64_t id{0};
    TimeMs at_ms{0};
    std::string who;
    std::optional<std::uint32_t> uid;
    std::string action;
    std::string device;
    std::optional<std::int64_t> job;
    std::string detail;
};

}  // namespace mcuota::db
