#pragma once
// Views of what the database holds: the engine adds live progress to them, the CLI shows them as they are
// while the daemon is down.

#include <cstdint>
#include <vector>

#include "daemon/api/backend.hpp"
#include "daemon/api/views.hpp"
#include "db/store.hpp"

namespace mcuota::api {

/// Without live figures: `progress` says the step its state implies and the percentage last written down.
[[nodiscard]] JobView view_of(const db::JobRecord& job);
[[nodiscard]] TransitionView view_of(const db::TransitionRecord& transition);
/// Link, cloud and module stand in the configuration, the active job in the jobs: they are left empty.
[[nodiscard]] DeviceView view_of(const db::DeviceRecord& device);
[[nodiscard]] db::JobQuery query_of(const JobFilter& filter);

/// Each device with its unfinished job, if any.
[[nodiscard]] Result<std::vector<DeviceView>> devices_from_store(db::Store& store);
[[nodiscard]] Result<std::vector<JobView>> jobs_from_store(db::Store& store, const JobFilter& filter);
/// With transitions. not_found.
[[nodiscard]] Result<JobView> job_from_store(db::Store& store, std::int64_t id);

}  // namespace mcuota::api
