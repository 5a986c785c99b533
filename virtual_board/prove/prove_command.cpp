// SPDX-License-Identifier: GPL-2.0-or-later
// Sets scenarios up, runs their sweeps, prints the JSON lines of mcuota-board prove.

#include "virtual_board/prove/prove_command.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <optional>

#include "virtual_board/json.hpp"
#include "virtual_board/prove/fast_calls.hpp"
#include "virtual_board/prove/kept_memories.hpp"
#include "virtual_board/prove/prove_case.hpp"
#include "virtual_board/prove/scenario_kinds.hpp"
#include "virtual_board/prove/sweep.hpp"

namespace mcuota::board {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitBricked = 4;
constexpr std::uint64_t kInstallBase = 1, kInstallNew = 2, kInstallRotated = 3, kInstallOldAgain = 4,
                        kTheJob = 100, kTheNextJob = 101;
// Where the journal stands when the roll-over scenario begins: a job's records pass the end of the sector.
constexpr std::uint32_t kRollOverSlot = 26;

void say(const JsonLine& line) {
    std::printf("%s\n", line.str().c_str());
    std::fflush(stdout);
}

int fail(const Failure& failure) {
    std::fprintf(stderr, "mcuota-board: %s; %s\n", failure.what.c_str(), failure.next.c_str());
    return kExitFailed;
}

std::vector<KnownImage> known_images(const Case& files, const ScenarioKind& kind,
                                     const ProveOptions& options) {
    const auto behaviour = [&](AppBehaviour modelled) {
        return options.executes && modelled == AppBehaviour::confirms ? AppBehaviour::executes : modelled;
    };
    return {{"old", files.images[kOld], options.security_counter, behaviour(AppBehaviour::confirms)},
            {"new", files.images[kNew], options.security_counter, behaviour(kind.fresh)},
            {"next", files.images[kNext], options.security_counter, AppBehaviour::confirms}};
}

ProveJob job_of(const Case& files, const ScenarioKind& kind) {
    const Bytes* const envelope = kind.rollback ? nullptr
                                  : kind.wrong  ? &files.wrong
                                  : kind.first  ? &files.envelopes[kOld]
                                                : &files.envelope(kind, kNew);
    // A recovery is no job of its own: the last one goes on telling its outcome.
    return {{envelope, kind.recovers ? kInstallNew : kTheJob, files.rotations_of(kind)},
            kind.outcome,
            kind.image,
            kind.outcome_after_cuts,
            {},
            kind.wrong,
            kind.backup_ahead};
}

/// Brings a device to where the scenario begins, by the loader's own hand. `with_old`: how the device was
/// left when the old image had been installed on a blank one; done only once.
std::string set_up(BenchDevice& device, const Case& files, const ScenarioKind& kind,
                   std::optional<KeptMemories>& with_old) {
    if (kind.first) return {};
    std::string trouble;
    const auto install = [&](const LinkJob& job, std::size_t image) {
        if (trouble.empty()) trouble = device.perform({job, kOk, image, {}, {}}).trouble;
        device.power_off();
    };
    if (!with_old) {
        install({&files.envelopes[kOld], kInstallBase}, kOld);
        with_old.emplace(device.memories());
    }
    if (kind.rollback || kind.recovers) install({&files.envelopes[kNew], kInstallNew}, kNew);
    if (kind.rotations == 3) {  // by way of another image: what runs already would be refused
        install({&files.twice_rotated[kNext], kInstallRotated, &files.rotations}, kNext);
        install({&files.twice_rotated[kOld], kInstallOldAgain}, kOld);
    }
    if (kind.recovers) device.damage_application(files.images[kNew].size());
    if (kind.roll_over) device.advance_journal(kRollOverSlot);
    if (trouble.empty() && kind.begins_in) trouble = device.bring_to(job_of(files, kind), *kind.begins_in);
    if (trouble.empty() && kind.part_sent)
        trouble = device.interrupt_after(job_of(files, kind), files.envelopes[kNew].size() * 2 / 3);
    if (trouble.empty() && kind.damaged && !device.damage_copies(files.images[kOld]))
        trouble = "the NOR holds no backup";
    return trouble;
}

JsonLine summary(const std::string& event, const SweepResult& result) {
    JsonLine states;
    for (const auto& [phase, count] : result.states)
        states.number(phase, count);
    std::string phases;
    for (const std::string& phase : result.phases)
        phases += (phases.empty() ? "\"" : ",\"") + phase + "\"";
    JsonLine ends;
    for (const auto& [end, count] : result.ends)
        ends.number(end, count);
    std::string failed;
    for (const auto& one : result.failed)
        failed +=
            (failed.empty() ? "" : ",") + JsonLine().text("id", one.id).text("trouble", one.trouble).str();
    JsonLine line;
    line.text("event", event)
        .number("operations", result.operations)
        .number("cuts", result.cuts)
        .number("merged", result.merged)
        .number("unseen", result.unseen)
        .number("resets", result.resets)
        .number("bricked", result.bricked)
        .number("ended_old", result.ended_old)
        .number("ended_new", result.ended_new)
        .raw("states", states.str())
        .raw("phases", "[" + phases + "]")
        .raw("ends", ends.str())
        .raw("failed", "[" + failed + "]");
    return line;
}

/// One scenario's sweep; says its progress and summary.
class ScenarioProof {
  public:
    ScenarioProof(const ProveOptions& options, const Case& files) : options_(options), files_(files) {}

    /// The number of bricked devices, or why it did not work.
    [[nodiscard]] Outcome<std::uint64_t> run(const ScenarioKind& kind, const std::vector<CutPoint>& only) {
        const auto begin = std::chrono::steady_clock::now();
        const auto seconds = [begin] {
            return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        };
        BenchConfig config;
        config.board.part = options_.part;
        config.board.seed = options_.seed;
        config.nor_bytes = options_.nor_part;
        BenchDevice device(
            config, with_old_ && !kind.first ? with_old_->whole() : BenchDevice::blank(config, files_.loader),
            known_images(files_, kind, options_));
        std::optional<FastCalls> fast_calls;
        if (options_.memory) fast_calls.emplace(device.board(), options_.loader, calls_);
        const std::string name = kind.name;
        if (const std::string trouble = set_up(device, files_, kind, with_old_); !trouble.empty())
            return Failure{"scenario " + name + " cannot be set up: " + trouble,
                           "check that the loader trusts the key and that the images fit it"};
        const Scenario scenario{name,
                                job_of(files_, kind),
                                {{&files_.envelope(kind, kNext), kTheNextJob}, kOk, kNext, {}, {}},
                                kind.loaders_own,
                                kind.cuts_transfer_only};
        double told = 0;
        Sweep sweep(device, scenario,
                    {options_.cuts, options_.depth, options_.seed, options_.memory, options_.jobs, only},
                    [&](std::uint64_t done, std::uint64_t of) {
                        if (done != of && seconds() - told < 0.2) return;
                        told = seconds();
                        say(JsonLine()
                                .text("event", "progress")
                                .text("scenario", name)
                                .number("done", done)
                                .number("of", of));
                    });
        const SweepResult result = sweep.run();
        if (!result.error.empty())
            return Failure{"scenario " + name + ": " + result.error,
                           "see docs/prove.md, \"When it does not run\""};
        if (calls_.wrong())
            return Failure{"scenario " + name + ": a call answered by the host differs from the loader's",
                           "the loader's SHA-256 or memset is damaged; examine it on a board"};
        say(summary("scenario", result)
                .text("scenario", name)
                .number("seed", options_.seed)
                .number("depth", options_.depth)
                .number("milliseconds", static_cast<std::uint64_t>(seconds() * 1000)));
        return result.bricked;
    }

  private:
    const ProveOptions& options_;
    const Case& files_;
    CallMemory calls_;
    std::optional<KeptMemories> with_old_;
};

template <class Wanted>
std::vector<std::string> names_of(Wanted wanted) {
    std::vector<std::string> out;
    for (const ScenarioKind& kind : scenario_kinds())
        if (wanted(kind)) out.emplace_back(kind.name);
    return out;
}

}  // namespace

const std::vector<std::string>& scenario_names() {
    static const std::vector<std::string> names = names_of([](const ScenarioKind&) { return true; });
    return names;
}

int prove(const ProveOptions& options) {
    std::vector<CutPoint> only;
    std::vector<std::string> scenarios =
        options.scenarios.empty() ? names_of([](const ScenarioKind& kind) { return !kind.loaders_own; })
                                  : options.scenarios;
    if (!options.only.empty()) {
        std::string scenario;
        Outcome<std::vector<CutPoint>> cuts = parse_cut_id(options.only, scenario);
        if (!cuts) return fail(cuts.failure());
        only = *cuts;
        scenarios = {scenario};
    }
    const auto any = [&scenarios](auto ScenarioKind::*what) {
        const auto kinds = scenario_kinds();
        return std::any_of(kinds.begin(), kinds.end(), [&](const ScenarioKind& kind) {
            return kind.*what != 0 &&
                   std::find(scenarios.begin(), scenarios.end(), kind.name) != scenarios.end();
        });
    };
    Outcome<Case> files = load_case(options, any(&ScenarioKind::wrong), any(&ScenarioKind::rotations));
    if (!files) return fail(files.failure());
    ScenarioProof proof(options, *files);
    std::uint64_t bricked = 0;
    for (const std::string& name : scenarios) {
        const auto kinds = scenario_kinds();
        const auto kind = std::find_if(kinds.begin(), kinds.end(),
                                       [&](const ScenarioKind& one) { return name == one.name; });
        if (kind == kinds.end())
            return fail({"there is no scenario \"" + name + "\"", "see mcuota-board prove --help"});
        Outcome<std::uint64_t> result = proof.run(*kind, only);
        if (!result) return fail(result.failure());
        bricked += *result;
    }
    return bricked == 0 ? 0 : kExitBricked;
}

}  // namespace mcuota::board
