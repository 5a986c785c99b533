#pragma once
// Names of single trials, so that any of them can be run again: "full/small/usual@17.mixed.p1+4.flips.w2".

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/loader/flash_model.hpp"

namespace mcuota::powercut {

/// One after the other; operations count from the last cut (the first: from the beginning of the job).
using Cuts = std::vector<test::Cut>;

struct TrialId {
    std::string scenario, geometry, size;
    Cuts cuts;  ///< none: the undisturbed job
};

/// "17.mixed.p1+4.flips.w2": operation, tear, p(ower), w(atchdog) or r(eset), seed of the mix.
[[nodiscard]] std::string to_string(const Cuts& cuts);
/// The case's id and the cuts.
[[nodiscard]] std::string to_string(const std::string& case_id, const Cuts& cuts);
[[nodiscard]] std::optional<TrialId> parse_trial_id(std::string_view text);

}  // namespace mcuota::powercut
