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
constexpr std::uint64_t kInstallBase = 1, kInstallNew = 2, kInstallRotated = 3, kInstallOldAgain = 4,
                        kTheJob = 100, kTheNextJob = 101;
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
    /// Key rotations that go before the package: two, or a third one to a device that took two before.
    unsigned rotations{0};
    bool part_sent{false};           ///< the transfer was interrupted before
    bool cuts_transfer_only{false};  ///< and what goes before it
    bool first{false};               ///< the base image comes onto a blank device
    bool recovers{false};  ///< the new image runs confirmed and has lost a bit: the old one is put back
    BackupAhead backup_ahead{BackupAhead::never};
};
constexpr std::array<ScenarioKind, 18> kScenarios{{
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
    {.name = "staging", .loaders_own = true, .part_sent = true, .cuts_transfer_only = true},
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
    {.name = "rotation", .loaders_own = true, .rotations = 2},
    {.name = "rotation-again", .loaders_own = true, .rotations = 3},
    {.name = "first", .image = kOld, .loaders_own = true, .first = true},
    {.name = "recovery", .image = kOld, .loaders_own = true, .recovers = true},
    {.name = "ahead", .loaders_own = true, .backup_ahead = BackupAhead::whole},
    {.name = "ahead-begun",
     .loaders_own = true,
     .cuts_transfer_only = true,
     .backup_ahead = BackupAhead::until_cut},
    {.name = "ahead-revert",
     .fresh = AppBehaviour::never_confirms,
     .outcome = kTrialNotConfirmed,
     .image = kOld,
     .outcome_after_cuts = kTrialWatchdog,
     .loaders_own = true,
     .backup_ahead = BackupAhead::whole},
    {.name = "ahead-rollback",
     .rollback = true,
     .outcome = kRolledBack,
     .image = kOld,
     .loaders_own = true,
     .backup_ahead = BackupAhead::whole},
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
    Bytes wrong;  ///< an envelope
    /// Envelopes signed by the key that is current after two and after three rotations.
    std::array<Bytes, 3> twice_rotated;
    std::array<Bytes, 3> again_rotated;             ///< without the old image
    std::vector<Bytes> rotations, rotations_again;  ///< two, and three

    [[nodiscard]] const Bytes& envelope(const ScenarioKind& kind, std::size_t image) const {
        return kind.rotations == 3   ? again_rotated[image]
               : kind.rotations == 2 ? twice_rotated[image]
                                     : envelopes[image];
    }
    [[nodiscard]] const std::vector<Bytes>* rotations_of(const ScenarioKind& kind) const {
        return kind.rotations == 3 ? &rotations_again : kind.rotations == 2 ? &rotations : nullptr;
    }
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
        out.rotations_again.resize(3);
        for (std::size_t i = 0; i < kNames.size(); ++i) {
            const std::string name = kNames[i];
            more.emplace_back("rotated-" + name + ".mce", &out.twice_rotated[i]);
            if (i != kOld) more.emplace_back("rotated-again-" + name + ".mce", &out.again_rotated[i]);
            more.emplace_back("rotation-" + std::to_string(i + 1) + ".mcuk", &out.rotations_again[i]);
        }
    }
    for (const auto& [name, bytes] : more) {
        Outcome<Bytes> content = load(options.folder + "/" + name);
        if (!content) return content.failure();
        *bytes = std::move(*content);
    }
    if (rotates) out.rotations.assign(out.rotations_again.begin(), out.rotations_again.begin() + 2);
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
    const auto any = [&scenarios](auto ScenarioKind::*what) {
        return std::any_of(kScenarios.begin(), kScenarios.end(), [&](const ScenarioKind& kind) {
            return kind.*what != 0 &&
                   std::find(scenarios.begin(), scenarios.end(), kind.name) != scenarios.end();
        });
    };
    Outcome<Case> files = load_case(options, any(&ScenarioKind::wrong), any(&ScenarioKind::rotations));
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
