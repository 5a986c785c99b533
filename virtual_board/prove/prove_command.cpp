// SPDX-License-Identifier: GPL-2.0-or-later
// Scenarios, files and the JSON lines of mcuota-board prove.

#include "virtual_board/prove/prove_command.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <optional>

#include "virtual_board/image_file.hpp"
#include "virtual_board/json.hpp"
#include "virtual_board/prove/fast_calls.hpp"
#include "virtual_board/prove/kept_memories.hpp"
#include "virtual_board/prove/sweep.hpp"

namespace mcuota::board {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitBricked = 4;
constexpr std::uint16_t kOk = 0x0000, kTrialNotConfirmed = 0x0404, kTrialWatchdog = 0x0405,
                        kRolledBack = 0x0408, kImageHashMismatch = 0x0210, kBackupDamaged = 0x0407;
constexpr std::size_t kOld = 0, kNew = 1, kNext = 2;
constexpr std::optional<std::size_t> kNone;
constexpr std::uint64_t kInstallBase = 1, kInstallNew = 2, kTheJob = 100, kTheNextJob = 101;
// Where the journal stands when the roll-over scenario begins: a job's records pass the end of the sector.
constexpr std::uint32_t kRollOverSlot = 26;

struct ScenarioKind {
    const char* name;
    AppBehaviour fresh{AppBehaviour::confirms};  ///< of the new image
    bool rollback{false};                        ///< the job is a rollback from the new image to the old one
    std::uint16_t outcome{kOk};
    std::optional<std::size_t> image{kNew};  ///< that must run in the end
    std::optional<std::uint16_t> outcome_after_cuts{};
    bool roll_over{false};  ///< the journal's sector is nearly full
    /// The loader is judged by it, not the update: run only when it is asked for.
    bool loaders_own{false};
    std::optional<JournalPhase> begins_in{};  ///< the job is under way when the cuts begin
    bool damaged{false};                      ///< and its backup has lost a bit then
    bool wrong{false};                        ///< the package decodes to another image than it says
    bool rotates{false};                      ///< two key rotations go before the package
    bool part_sent{false};                    ///< the transfer was interrupted before
};
constexpr std::array<ScenarioKind, 11> kScenarios{{
    {.name = "install"},
    {.name = "revert",
     .fresh = AppBehaviour::never_confirms,
     .outcome = kTrialNotConfirmed,
     .image = kOld,
     .outcome_after_cuts = kTrialWatchdog},
    {.name = "hang",
     .fresh = AppBehaviour::hangs,
     .outcome = kTrialWatchdog,
     .image = kOld,
     .outcome_after_cuts = kTrialNotConfirmed},
    {.name = "rollback", .rollback = true, .outcome = kRolledBack, .image = kOld},
    {.name = "journal", .roll_over = true},
    {.name = "confirm", .loaders_own = true, .begins_in = JournalPhase::trial},
    {.name = "staging", .loaders_own = true, .part_sent = true},
    {.name = "wrong-image", .outcome = kImageHashMismatch, .image = kOld, .loaders_own = true, .wrong = true},
    {.name = "revert-damaged",
     .fresh = AppBehaviour::never_confirms,
     .outcome = kTrialNotConfirmed,
     .image = kNone,
     .outcome_after_cuts = kTrialWatchdog,
     .loaders_own = true,
     .begins_in = JournalPhase::trial,
     .damaged = true},
    {.name = "rollback-damaged",
     .rollback = true,
     .outcome = kBackupDamaged,
     .loaders_own = true,
     .begins_in = JournalPhase::rollback_requested,
     .damaged = true},
    {.name = "rotation", .loaders_own = true, .rotates = true},
}};

void say(const JsonLine& line) {
    std::printf("%s\n", line.str().c_str());
    std::fflush(stdout);
}

int fail(const Failure& failure) {
    std::fprintf(stderr, "mcuota-board: %s; %s\n", failure.what.c_str(), failure.next.c_str());
    return kExitFailed;
}

Outcome<Bytes> load(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    Bytes bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    if (!file.good() && !file.eof())
        return Failure{"cannot read " + path, "check the path and its permissions"};
    if (bytes.empty()) return Failure{path + " is missing or empty", "check the folder given with --case"};
    return bytes;
}

struct Case {
    Bytes loader;
    std::array<Bytes, 3> images, envelopes;
    // Only when they are asked for:
    Bytes wrong, rotated_new, rotated_next;  ///< envelopes
    std::vector<Bytes> rotations;
};

Outcome<Case> load_case(const ProveOptions& options, bool wrong, bool rotates) {
    Case out;
    out.loader.assign(FlashGeometry(options.part).size_bytes(), 0xFF);
    if (const auto failure = load_firmware(options.loader, FlashGeometry(options.part), out.loader))
        return *failure;
    constexpr std::array<const char*, 3> kNames{"old", "new", "next"};
    for (std::size_t i = 0; i < kNames.size(); ++i) {
        Outcome<Bytes> image = load(options.folder + "/" + kNames[i] + ".bin");
        if (!image) return image.failure();
        out.images[i] = std::move(*image);
        Outcome<Bytes> envelope = load(options.folder + "/" + kNames[i] + ".mce");
        if (!envelope) return envelope.failure();
        out.envelopes[i] = std::move(*envelope);
    }
    std::vector<std::pair<std::string, Bytes*>> more;
    if (wrong) more.emplace_back("wrong.mce", &out.wrong);
    if (rotates) {
        out.rotations.resize(2);
        more.insert(more.end(), {{"rotated-new.mce", &out.rotated_new},
                                 {"rotated-next.mce", &out.rotated_next},
                                 {"rotation-1.mcuk", &out.rotations[0]},
                                 {"rotation-2.mcuk", &out.rotations[1]}});
    }
    for (const auto& [name, bytes] : more) {
        Outcome<Bytes> content = load(options.folder + "/" + name);
        if (!content) return content.failure();
        *bytes = std::move(*content);
    }
    return out;
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
    const Bytes* const envelope = kind.rollback  ? nullptr
                                  : kind.wrong   ? &files.wrong
                                  : kind.rotates ? &files.rotated_new
                                                 : &files.envelopes[kNew];
    return {{envelope, kTheJob, kind.rotates ? &files.rotations : nullptr},
            kind.outcome,
            kind.image,
            kind.outcome_after_cuts,
            {},
            kind.wrong};
}

/// Brings a device to where the scenario begins, by the loader's own hand. `with_old`: how the device was
/// left when the old image had been installed on a blank one; done only once.
std::string set_up(BenchDevice& device, const Case& files, const ScenarioKind& kind,
                   std::optional<KeptMemories>& with_old) {
    std::string trouble;
    if (!with_old)
        trouble = device.perform({{&files.envelopes[kOld], kInstallBase}, kOk, kOld, {}, {}}).trouble;
    device.power_off();
    if (!with_old) with_old.emplace(device.memories());
    if (trouble.empty() && kind.rollback)
        trouble = device.perform({{&files.envelopes[kNew], kInstallNew}, kOk, kNew, {}, {}}).trouble;
    device.power_off();
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
        BenchDevice device(config, with_old_ ? with_old_->whole() : BenchDevice::blank(config, files_.loader),
                           known_images(files_, kind, options_));
        std::optional<FastCalls> fast_calls;
        if (options_.memory) fast_calls.emplace(device.board(), options_.loader, calls_);
        const std::string name = kind.name;
        if (const std::string trouble = set_up(device, files_, kind, with_old_); !trouble.empty())
            return Failure{"scenario " + name + " cannot be set up: " + trouble,
                           "check that the loader trusts the key and that the images fit it"};
        const Scenario scenario{
            name,
            job_of(files_, kind),
            {{kind.rotates ? &files_.rotated_next : &files_.envelopes[kNext], kTheNextJob},
             kOk,
             kNext,
             {},
             {}},
            kind.loaders_own,
            kind.part_sent};
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
    out.reserve(kScenarios.size());
    for (const ScenarioKind& kind : kScenarios)
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
    const auto any = [&scenarios](bool ScenarioKind::*what) {
        return std::any_of(kScenarios.begin(), kScenarios.end(), [&](const ScenarioKind& kind) {
            return kind.*what && std::find(scenarios.begin(), scenarios.end(), kind.name) != scenarios.end();
        });
    };
    Outcome<Case> files = load_case(options, any(&ScenarioKind::wrong), any(&ScenarioKind::rotates));
    if (!files) return fail(files.failure());
    ScenarioProof proof(options, *files);
    std::uint64_t bricked = 0;
    for (const std::string& name : scenarios) {
        const auto kind = std::find_if(kScenarios.begin(), kScenarios.end(),
                                       [&](const ScenarioKind& one) { return name == one.name; });
        if (kind == kScenarios.end())
            return fail({"there is no scenario \"" + name + "\"", "see mcuota-board prove --help"});
        Outcome<std::uint64_t> result = proof.run(*kind, only);
        if (!result) return fail(result.failure());
        bricked += *result;
    }
    return bricked == 0 ? 0 : kExitBricked;
}

}  // namespace mcuota::board
