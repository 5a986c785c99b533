// Composes the status screen.
#include "daemon/api/status.hpp"

#include <algorithm>
#include <utility>

namespace mcuota::api {
namespace {

constexpr std::uint32_t kFailuresShown = 5;
constexpr std::uint32_t kUnfinishedShown = 200;

std::vector<std::string> unfinished_states() {
    std::vector<std::string> out;
    for (const std::string_view state : kJobStates)
        if (!is_finished(state)) out.emplace_back(state);
    return out;
}

}  // namespace

Result<StatusView> make_status(DaemonView daemon, std::vector<CloudView> clouds,
                               std::vector<DeviceView> devices, const ListJobs& list_jobs) {
    StatusView out{std::move(daemon), std::move(clouds), std::move(devices), {}, {}};
    JobFilter unfinished;
    unfinished.states = unfinished_states();
    unfinished.limit = kUnfinishedShown;
    auto jobs = list_jobs(unfinished);
    if (!jobs) return std::move(jobs).error();
    out.jobs = std::move(*jobs);
    std::reverse(out.jobs.begin(), out.jobs.end());

    JobFilter failed;
    failed.states = {"failed"};
    failed.limit = kFailuresShown;
    auto failures = list_jobs(failed);
    if (!failures) return std::move(failures).error();
    for (JobView& failure : *failures) {
        JobFilter newest_success;
        newest_success.states = {"succeeded"};
        newest_success.device = failure.device;
        newest_success.limit = 1;
        const auto success = list_jobs(newest_success);
        if (!success) return success.error();
        if (success->empty() || success->front().updated_at_ms < failure.updated_at_ms)
            out.failures.push_back(std::move(failure));
    }
    return out;
}

}  // namespace mcuota::api
