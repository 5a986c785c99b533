// The rows of both plans.
#include "tests/powercut/host/plan.hpp"

namespace mcuota::powercut {
namespace {

using Names = std::vector<std::string>;

class PlanWriter {
  public:
    explicit PlanWriter(std::uint32_t seed) : seed_{seed} {}

    /// Rows for every combination that is a case.
    void add(Mode mode, const Names& scenarios, const Names& geometries, const Names& sizes,
             std::uint64_t every, std::uint64_t trials = 0) {
        for (const std::string& geometry : geometries) {
            for (const std::string& scenario : scenarios) {
                for (const std::string& size : sizes) {
                    if (is_case(scenario, *find_geometry(geometry), size)) {
                        SweepOptions options;
                        options.mode = mode;
                        options.seed = seed_;
                        options.every = every;
                        options.trials = trials;
                        rows_.push_back({scenario, geometry, size, options});
                    }
                }
            }
        }
    }
    [[nodiscard]] std::vector<PlanRow> take() { return std::move(rows_); }

  private:
    std::uint32_t seed_;
    std::vector<PlanRow> rows_;
};

const Names kSmall{"small"};
const Names kTiny{"small", "banks", "odd", "internal"};
const Names kReal{"f429", "f429-dual", "f429-2m"};
const Names kUsual{"usual"};
const Names kAhead{"ahead", "ahead-begun", "ahead-revert", "ahead-rollback"};
const Names kBorders{"1", "8", "sector-1", "sector", "sector+1", "max", "max+1"};
const Names kFills{"fill0", "fill1", "fill2", "fill3", "fill4", "fill5", "fill6", "fill7"};

}  // namespace

const char* name(Mode mode) {
    switch (mode) {
        case Mode::single:
            return "single";
        case Mode::pairs:
            return "pairs";
        case Mode::random:
            return "random";
        case Mode::brown_out:
            return "brown-out";
    }
    return "?";
}

std::vector<PlanRow> short_plan(std::uint32_t seed) {
    PlanWriter plan{seed};
    plan.add(Mode::single, scenario_names(), kSmall, {"usual", "pair"}, 1);
    plan.add(Mode::single, {"rollover"}, kSmall, kFills, 1);
    plan.add(Mode::single, {"full", "lzma", "relocated", "revert"}, kSmall, kBorders, 1);
    plan.add(Mode::single, kAhead, {"banks"}, kUsual, 1);
    plan.add(Mode::single, {"full", "relocated", "first", "revert", "rollback", "staging"},
             {"odd", "internal"}, kUsual, 3);
    plan.add(Mode::single, {"full", "relocated", "revert"}, kReal, kUsual, 53);
    plan.add(Mode::single, scenario_names(), {"f429"}, {"pair"}, 1);
    plan.add(Mode::pairs, {"full", "revert", "rotation"}, kSmall, kUsual, 29);
    plan.add(Mode::pairs, kAhead, {"banks"}, kUsual, 61);
    plan.add(Mode::random, scenario_names(), kTiny, {"usual", "fill3"}, 1, 60);
    plan.add(Mode::brown_out, scenario_names(), kTiny, {"usual", "fill6"}, 1, 20);
    return plan.take();
}

std::vector<PlanRow> long_plan(std::uint32_t seed) {
    PlanWriter plan{seed};
    plan.add(Mode::single, scenario_names(), kTiny, size_names(), 1);
    plan.add(Mode::single, scenario_names(), kReal, kUsual, 23);
    plan.add(Mode::single, {"full", "lzma", "relocated", "revert", "rollback", "ahead", "first"}, kReal,
             {"1", "sector-1", "sector", "sector+1"}, 211);
    plan.add(Mode::single, {"full", "revert"}, {"f429"}, {"max", "max+1"}, 1999);
    plan.add(Mode::pairs, {"full", "first", "confirm", "revert", "rollback", "rotation"}, kSmall, kUsual, 1);
    plan.add(Mode::pairs, kAhead, {"banks"}, kUsual, 2);
    plan.add(Mode::pairs, scenario_names(), kTiny, {"usual", "fill2", "fill5"}, 5);
    plan.add(Mode::random, scenario_names(), kTiny, {"usual", "fill3", "fill4"}, 1, 1000);
    plan.add(Mode::brown_out, scenario_names(), kTiny, {"usual", "fill1", "fill6"}, 1, 1000);
    return plan.take();
}

}  // namespace mcuota::powercut
