#pragma once
// The life of one job on one device, as a pure function over one table: what happened in, what to write down
// and do out. No clocks, sockets, database or threads in here.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "db/records.hpp"
#include "mcu_loader/core/status.hpp"

namespace mcuota::job {

using db::JobRecord;
using db::JobState;

enum class EventKind : std::uint8_t {
    turn,           ///< the device is free: a queued job may begin
    resumed,        ///< the daemon has started again, or an interrupted wait goes on
    downloaded,     ///< the file is complete, its size and digest proven
    verified,       ///< the package is signed by a trusted key, for this hardware, of the announced version
    sent,           ///< the device holds the whole package and has checked it
    trial_began,    ///< the device tells that the new image runs on trial
    restore_began,  ///< the device tells that it is putting the old image back
    reported,       ///< the device tells what it runs and how the installation ended
    step_failed,    ///< the step under way ended with an error
    timer,          ///< the wait is over
    fresh_offer,    ///< the cloud sent the same content again, perhaps with a new address
    cancel,         ///< a person asks to end it
    retry,          ///< a person asks to start over, or to wait no longer
    superseded,     ///< another job is to take its place
};
inline constexpr std::size_t kEventKinds = 14;
[[nodiscard]] std::string_view to_string(EventKind kind) noexcept;

/// What the device says about the image it runs.
struct DeviceReport {
    Status status{Status::unknown_token};  ///< outcome of the installation asked for
    bool confirmed{false};                 ///< the running image is neither on trial nor damaged
    std::string running_sha256;
    std::string running_version;
};

/// Something that happened. Only the members its kind names are looked at.
struct Event {
    EventKind kind{EventKind::resumed};
    std::optional<Error> error{};    ///< step_failed; reported: what a status other than ok means
    std::string package_sha256{};    ///< downloaded
    std::string image_sha256{};      ///< verified
    std::string version{};           ///< verified
    std::string from_version{};      ///< sent
    std::string payload_kind{};      ///< sent
    std::uint64_t payload_bytes{0};  ///< sent
    std::uint64_t token{0};          ///< sent: fresh, never 0
    std::int32_t payload_index{-1};  ///< sent; with other_payload: the refused one
    std::string note{};              ///< sent: what to add to the reason
    /// step_failed, reported: the device refused this payload before it touched anything, and the package
    /// holds another one it has not refused.
    bool other_payload{false};
    DeviceReport report{};      ///< reported
    std::string url{};          ///< fresh_offer
    std::string request_id{};   ///< fresh_offer
    std::string digest_sign{};  ///< fresh_offer
    bool full{false};           ///< retry: no deltas
    bool package_gone{false};   ///< retry: its file has left the cache
    std::string who{};          ///< cancel, retry, superseded: for the reason
};
/// The step under way ended with this error.
[[nodiscard]] inline Event step_failed(Error error) {
    return {.kind = EventKind::step_failed, .error = std::move(error)};
}

/// What to do after the change is written down.
enum class Act : std::uint8_t {
    none,      ///< go on with what is under way
    download,  ///< fetch the file
    verify,    ///< open and check the package
    send,      ///< ask the device, carry the package to it
    install,   ///< ask for the installation with the written token and follow it
    follow,    ///< ask how the installation of the written token stands
    wait,      ///< until wait_until_ms
    ask_url,   ///< ask the cloud for a fresh address, then wait
    stop,      ///< end what is under way; nothing follows
};
/// What becomes true for the cloud in the same transaction.
enum class Tell : std::uint8_t { nothing, failure, version };

/// An answer of the table.
struct Decision {
    JobRecord after;
    bool persist{false};  ///< `after` differs: write it (with the tell) before acting
    std::string reason;   ///< of the transition; empty: none worth a line
    Tell tell{Tell::nothing};
    Act act{Act::none};
    std::optional<Error> refusal;  ///< cancel, retry, superseded: why not
};

struct Limits {
    std::uint32_t attempts_max{20};
    std::uint32_t backoff_min_ms{5'000};
    std::uint32_t backoff_max_ms{900'000};
    std::uint32_t new_url_wait_ms{60'000};
};

/// Where the outside world stands when an event is answered.
struct Moment {
    db::TimeMs now_ms{0};
    std::uint32_t random{0};  ///< for the jitter of pauses
};

/// The answer to `event` for `job`. Total: every state answers every event, unlisted pairs with "stay as you
/// are".
///
/// Invariants (asserted by the tests over all pairs):
///  - whatever acts outside this process is preceded by a write: a decision that enters a new state persists;
///  - attempts are bounded: at attempts_max a failing job fails, it never loops; a refused payload is never
///    tried again, so falling back to the next one ends by itself;
///  - succeeded is entered only from a report that names the wanted image, confirmed;
///  - install only ever follows a written, fresh token;
///  - once the device has been asked to install, only its report ends the job, or the end of all attempts.
[[nodiscard]] Decision decide(const JobRecord& job, const Event& event, const Limits& limits, Moment moment);

/// The device, not the gateway, decides how the job ends.
[[nodiscard]] bool device_decides(const JobRecord& job) noexcept;
/// Pause before try number `attempts` + 1: doubles within the limits, ±20 %.
[[nodiscard]] std::uint32_t backoff_ms(const Limits& limits, std::uint32_t attempts,
                                       std::uint32_t random) noexcept;

}  // namespace mcuota::job
