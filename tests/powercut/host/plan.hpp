#pragma once
// Which cases are swept how: the short plan of every test run, the long one of scripts/test --all.

#include <string>
#include <vector>

#include "tests/powercut/host/sweep.hpp"

namespace mcuota::powercut {

struct PlanRow {
    std::string scenario, geometry, size;
    SweepOptions options;
};

/// "single", "pairs", "random", "brown-out".
[[nodiscard]] const char* name(Mode mode);

/// At least 20,000 cut points; a minute on one core.
[[nodiscard]] std::vector<PlanRow> short_plan(std::uint32_t seed);

/// At least two million cut points.
[[nodiscard]] std::vector<PlanRow> long_plan(std::uint32_t seed);

}  // namespace mcuota::powercut
