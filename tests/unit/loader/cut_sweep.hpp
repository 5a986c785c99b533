#pragma once
// Power-cut sweeps: one job is performed again and again, each time with power cut at another flash
// operation. After each cut power returns and the gateway goes on; the device must end as the plan says,
// truthfully, and take the next job.

#include <cstdint>
#include <string>
#include <vector>

#include "test_device.hpp"

namespace mcuota::test {

struct SweepPlan {
    GatewayJob job;
    Status outcome{Status::ok};            ///< what the device must say of the job in the end
    Bytes image;                           ///< what the running region must hold in the end
    const TestPackage* next_job{nullptr};  ///< must be accepted and confirmed afterwards
    std::vector<Tear> tears{kTears.begin(), kTears.end()};
    std::uint64_t every{1};               ///< cut at every nth operation only
    std::uint64_t operations_max{~0ULL};  ///< only among so many first operations
    bool second_cut{false};               ///< cut once more during the recovery, at a place that varies
};

struct SweepReport {
    std::uint64_t operations{0};  ///< of the undisturbed job
    std::uint64_t cuts{0};
    std::vector<std::string> failed;  ///< "operation 17, looks_done: …": enough to run one alone
    [[nodiscard]] std::string summary() const;
};

[[nodiscard]] SweepReport sweep_cuts(const TestDevice& start, const SweepPlan& plan);

/// One cut of a sweep; empty when all promises were kept.
[[nodiscard]] std::string run_one_cut(const TestDevice& start, const SweepPlan& plan, const Cut& cut);

}  // namespace mcuota::test
