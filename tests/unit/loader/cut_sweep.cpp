// The sweep's loop and the promises checked after each cut.
#include "cut_sweep.hpp"

#include <algorithm>

namespace mcuota::test {
namespace {

constexpr std::size_t kFailuresKept = 10;
constexpr unsigned kQuietStarts = 3;

std::string number(Status status) {
    return std::to_string(static_cast<unsigned>(status));
}

/// Later starts must read the same story: what was told as final stays final.
std::string check_quiet_starts(TestDevice& device, const SweepPlan& plan) {
    for (unsigned start = 0; start < kQuietStarts; ++start) {
        const std::optional<device::LoaderEnd> end = device.start_loader();
        if (!end || end->kind != device::LoaderEnd::Kind::boot) {
            return "a later start did not reach the application";
        }
        const device::State state = device.journal();
        if (state.phase != device::Phase::idle || !state.running_confirmed || state.outcome != plan.outcome ||
            state.token != plan.job.token) {
            return "a later start reads another outcome: " + number(state.outcome);
        }
        if (device.running_bytes(plan.image.size()) != plan.image) {
            return "a later start finds other bytes";
        }
    }
    return {};
}

}  // namespace

std::string SweepReport::summary() const {
    std::string text = std::to_string(operations) + " operations, " + std::to_string(cuts) + " cuts, " +
                       std::to_string(failed.size()) + " failed";
    for (const std::string& one : failed) {
        text += "\n  " + one;
    }
    return text;
}

std::string run_one_cut(const TestDevice& start, const SweepPlan& plan, const Cut& cut) {
    TestDevice device{start};
    device.flash.arm(cut);
    const JobEnd end = device.perform(plan.job);
    device.flash.disarm();
    if (!end.trouble.empty()) {
        return end.trouble;
    }
    if (!end.ended) {
        return "the job never ended";
    }
    if (end.refused || end.status != plan.outcome) {
        return "ended with status " + number(end.status) + (end.refused ? ", refused" : "");
    }
    if (device.running_bytes(plan.image.size()) != plan.image) {
        return "the running region holds other bytes than the outcome says";
    }
    if (std::string trouble = check_quiet_starts(device, plan); !trouble.empty()) {
        return trouble;
    }
    if (plan.next_job != nullptr) {
        const JobEnd next = device.perform({plan.next_job, plan.job.token + 1, 300});
        if (!next.trouble.empty() || !next.ended || next.refused || next.status != Status::ok) {
            return "the next job ended with status " + number(next.status) + " " + next.trouble;
        }
    }
    return device.flash.violation();
}

SweepReport sweep_cuts(const TestDevice& start, const SweepPlan& plan) {
    SweepReport report;
    {
        TestDevice undisturbed{start};
        const std::uint64_t before = undisturbed.flash.operations();
        const JobEnd end = undisturbed.perform(plan.job);
        report.operations = undisturbed.flash.operations() - before;
        if (end.status != plan.outcome || !end.trouble.empty()) {
            report.failed.push_back("undisturbed: status " + number(end.status) + " " + end.trouble);
            return report;
        }
    }
    const std::uint64_t last = std::min(report.operations, plan.operations_max);
    for (std::uint64_t operation = 0; operation < last; operation += plan.every) {
        for (const Tear tear : plan.tears) {
            Cut cut{operation, tear, static_cast<std::uint32_t>(operation + 1), 0};
            if (plan.second_cut) {
                cut.again_after = 1 + operation * 7 % 31;
            }
            ++report.cuts;
            const std::string trouble = run_one_cut(start, plan, cut);
            if (!trouble.empty() && report.failed.size() < kFailuresKept) {
                report.failed.push_back("operation " + std::to_string(operation) + ", " + name(tear) + ": " +
                                        trouble);
            }
        }
    }
    return report;
}

}  // namespace mcuota::test
