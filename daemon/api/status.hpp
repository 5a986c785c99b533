#pragma once
// The one-screen summary, composed the same way from the running engine and from the database of a stopped
// one.

#include <functional>
#include <vector>

#include "daemon/api/backend.hpp"

namespace mcuota::api {

using ListJobs = std::function<Result<std::vector<JobView>>(const JobFilter&)>;

/// Unfinished jobs oldest first; of the last failures those that no later job of the same device has made
/// good.
[[nodiscard]] Result<StatusView> make_status(DaemonView daemon, std::vector<CloudView> clouds,
                                             std::vector<DeviceView> devices, const ListJobs& list_jobs);

}  // namespace mcuota::api
