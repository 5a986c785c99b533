#pragma once
// What a new request means beside the jobs a device already has. Pure.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "db/records.hpp"

namespace mcuota::job {

/// The answer: make a job or not, and what happens to those that stand in its way.
struct Admission {
    enum class Kind : std::uint8_t {
        create,      ///< a new job, behind whatever is unfinished
        refresh,     ///< the same job again: only its address and request id are new
        tell_again,  ///< done already and still true: the cloud missed the report
        ignore,      ///< it failed, and the cloud has not even heard so yet
        refuse,      ///< it failed again and again: only a person may try it once more
    } kind{Kind::create};
    std::int64_t job{0};                   ///< refresh, tell_again, ignore, refuse: which one
    std::vector<std::int64_t> superseded;  ///< create: these end
};

/// The same content for the same device: version, size and digest of a cloud's push, or the package of a
/// local one.
[[nodiscard]] bool same_content(const db::JobRecord& a, const db::JobRecord& b);
/// Asked for by the same side: the same cloud and module, or any person.
[[nodiscard]] bool same_source(const db::JobRecord& a, const db::JobRecord& b);

/// The same bytes on the same device will fail the same way: an image that failed its trial, a package that
/// is not what it should be. Not: a network that was away, a full disk, a key that is yet to be trusted.
[[nodiscard]] bool blames_content(const Error& error) noexcept;

/// How often a cloud may have the same content fail before its offers of it are refused.
inline constexpr std::size_t kFailuresMax = 2;

/// What a device has behind it.
struct Past {
    std::optional<db::JobRecord> last_finished;  ///< of the same source
    std::vector<db::JobRecord> failures;         ///< of the device, newest first
    bool report_pending{false};                  ///< a report about it still waits in the outbox
};

/// `wanted` against the device's unfinished jobs (oldest first) and its past. A different content replaces a
/// job unless the device was asked to install already.
[[nodiscard]] Admission admit(const db::JobRecord& wanted, std::span<const db::JobRecord> unfinished,
                              const Past& past, const db::DeviceRecord& device);

/// Unfinished jobs that a later one of the same source should have replaced (a crash came between): ids.
[[nodiscard]] std::vector<std::int64_t> overtaken(std::span<const db::JobRecord> unfinished);

}  // namespace mcuota::job
