#pragma once
// What a device owes after any cuts: old or new runs, the journal tells the truth, the next job is done.

#include <string>

#include "tests/powercut/host/cut_id.hpp"
#include "tests/powercut/host/scenarios.hpp"

namespace mcuota::powercut {

/// Looks at a device whose job has ended, starts it a few times and gives it the next job. Empty when all
/// promises were kept; else what was broken. `cuts` decides which endings are excused.
[[nodiscard]] std::string broken_promise(test::TestDevice& device, const Case& subject, const Cuts& cuts,
                                         const test::JobEnd& end);

}  // namespace mcuota::powercut
