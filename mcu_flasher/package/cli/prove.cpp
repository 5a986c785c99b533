// mcuota-pack prove: cuts the power at the flash and NOR operations of an update with this package, on the
// virtual board with the shipped loader.

#include <algorithm>
#include <boost/json/array.hpp>
#include <chrono>
#include <iostream>
#include <map>
#include <optional>
#include <thread>

#include "mcu_flasher/base/file.hpp"
#include "mcu_flasher/base/hex.hpp"
#include "mcu_flasher/package/builder.hpp"
#include "mcu_flasher/package/cli/commands.hpp"
#include "mcu_flasher/package/cli/output.hpp"
#include "mcu_flasher/package/cli/prove_case.hpp"
#include "mcu_flasher/package/cli/prover_process.hpp"
#include "mcu_loader/core/sha256.hpp"

namespace mcuota::pack {
namespace {

// Exit codes of mcuota-board.
constexpr int kProverFailed = 1, kProverUsage = 2;
constexpr std::uint64_t kLoaderBytesMax = 64ULL << 20;

/// The entry the loader can take: by name, the only one, or the shipped hardware's.
Result<const package::Entry*> choose_entry(const package::Package& package, const std::string& hardware) {
    if (!hardware.empty()) {
        if (const package::Entry* entry = package.find(hardware)) return entry;
        return Error{ErrorCode::not_found, "the package has nothing for " + hardware,
                     "see what it holds: mcuota-pack inspect", 0};
    }
    if (package.entries.size() == 1) return package.entries.data();
    if (const package::Entry* entry = package.find(kShippedHardware)) return entry;
    return Error{ErrorCode::usage, "the package is for several hardware types", "choose one: --hardware ID",
                 0};
}

/// The payload a gateway would send to a device that runs `base`: the smallest that fits, or the kind asked
/// for.
Result<std::size_t> choose_payload(const package::Entry& entry, std::span<const std::uint8_t> base,
                                   const std::string& kind) {
    const Sha256Digest digest = sha256(base);
    std::optional<std::size_t> best;
    for (std::size_t i = 0; i < entry.manifest.payload_count; ++i) {
        const PayloadEntry& payload = entry.manifest.payloads[i];
        const bool fits = payload.base_size_bytes == 0 ||
                          (payload.base_size_bytes == base.size() && payload.base_sha256 == digest);
        if (!fits || (!kind.empty() && package::to_string(payload.kind) != kind)) continue;
        if (!best || payload.size_bytes < entry.manifest.payloads[*best].size_bytes) best = i;
    }
    if (best) return *best;
    return Error{ErrorCode::no_fitting_payload,
                 kind.empty() ? std::string("no payload of the package fits the base image")
                              : "the package has no " + kind + " payload that fits the base image",
                 "check --base and --payload; mcuota-pack inspect shows the payloads", 0};
}

/// What all scenarios came to.
struct Totals {
    std::uint64_t cuts{0}, resets{0}, merged{0}, bricked{0}, ended_old{0}, ended_new{0};
    boost::json::array scenarios, failed;
    std::map<std::string, std::string> troubles;
};

std::uint64_t number(const boost::json::object& line, const char* key) {
    const boost::json::value* value = line.if_contains(key);
    if (value == nullptr || !value->is_number()) return 0;
    boost::system::error_code bad;
    const auto out = value->to_number<std::uint64_t>(bad);
    return bad ? 0 : out;
}

std::string text(const boost::json::object& line, const char* key) {
    const boost::json::value* value = line.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

void take_scenario(const boost::json::object& line, Totals& totals) {
    totals.cuts += number(line, "cuts");
    totals.resets += number(line, "resets");
    totals.merged += number(line, "merged");
    totals.bricked += number(line, "bricked");
    totals.ended_old += number(line, "ended_old");
    totals.ended_new += number(line, "ended_new");
    boost::json::object scenario = line;
    scenario.erase("event");
    totals.scenarios.push_back(scenario);
    const boost::json::value* failed = line.if_contains("failed");
    if (failed == nullptr || !failed->is_array()) return;
    for (const boost::json::value& one : failed->get_array()) {
        if (!one.is_object()) continue;
        const std::string id = text(one.get_object(), "id");
        totals.failed.push_back(boost::json::value(id));
        totals.troubles[id] = text(one.get_object(), "trouble");
    }
}

std::vector<std::string> prover_arguments(const ProveOptions& options, const ProveFiles& files,
                                          const std::filesystem::path& folder, const Manifest& manifest) {
    std::vector<std::string> out{"prove",
                                 "--loader",
                                 files.loader.string(),
                                 "--case",
                                 folder.string(),
                                 "--security-counter",
                                 std::to_string(manifest.security_counter)};
    const auto add = [&out](const char* name, const std::string& value) {
        out.emplace_back(name);
        out.push_back(value);
    };
    if (options.cuts != "all") add("--cuts", options.cuts);
    add("--depth", std::to_string(options.depth));
    add("--seed", std::to_string(options.seed));
    add("--jobs",
        std::to_string(options.jobs != 0 ? options.jobs : std::max(1U, std::thread::hardware_concurrency())));
    if (!options.part.empty()) add("--part", options.part);
    if (!options.nor_part.empty()) add("--nor-part", options.nor_part);
    if (!options.only.empty()) add("--only", options.only);
    for (const std::string& scenario : options.scenarios)
        add("--scenario", scenario);
    if (options.no_memory) out.emplace_back("--no-memory");
    if (options.executes) out.emplace_back("--executes");
    return out;
}

void say_result(const Totals& totals, const ProveOptions& options, const ProveFiles& files,
                std::string_view payload, double seconds) {
    std::cout << (totals.bricked == 0 ? "proven: " : "NOT proven: ") << totals.cuts - totals.resets
              << " power cuts and " << totals.resets << " watchdog resets in " << totals.scenarios.size()
              << (totals.scenarios.size() == 1 ? " kind of job" : " kinds of jobs") << " with the " << payload
              << " payload (" << duration_text(seconds) << ")\n";
    const bool always_ran = totals.ended_old + totals.ended_new == totals.cuts;
    if (totals.bricked == 0)
        std::cout << "  After each of them the device ran the old or the new version"
                  << (always_ran ? "" : ", or nothing where nothing may run")
                  << ", its journal told the truth, and it took the next job.\n";
    else
        std::cout << "  " << totals.bricked << " of them left the device in a state it must not be in.\n";
    std::cout << "  first to run afterwards: the old version " << totals.ended_old << " times, the new one "
              << totals.ended_new << " times\n";
    for (const auto& [id, trouble] : totals.troubles)
        std::cout << "  " << id << ": " << trouble << '\n';
    if (totals.bricked != 0) std::cout << "  look at one alone: mcuota-pack prove … --only ID\n";
    std::cout
        << "  seed " << options.seed << ", depth " << options.depth << "; " << totals.merged
        << " cuts led to a state proven before\n"
        << "  changed for the proof: manifests signed again with a key made for it, which the loader was "
           "told to trust";
    if (files.hardware_changed) std::cout << "; hardware name " << files.hardware << ", the loader's";
    std::cout << '\n';
}

}  // namespace

Result<int> prove(const ProveOptions& options) {
    const auto package = package::read(options.file);
    if (!package) return package.error();
    const auto entry = choose_entry(*package, options.hardware);
    if (!entry) return entry.error();
    if (!options.pubkeys.empty()) {
        package::Keyring keyring;
        for (const std::string& file : options.pubkeys)
            if (auto added = keyring.add_file(file); !added) return added.error();
        if (auto verified = keyring.verify(**entry); !verified) return verified.error();
    }
    auto base = read_file(options.base, package::kImageBytesMax, ErrorCode::image_too_large);
    if (!base) return base.error();
    const auto index = choose_payload(**entry, *base, options.payload);
    if (!index) return index.error();
    auto image = package::decode_image(**entry, *index, *base);
    if (!image) return image.error();
    std::string loader_file = options.loader;
    if (loader_file.empty())
        loader_file = beside_program({"../share/mcuota/loader.elf", "../firmware/loader.elf"}).string();
    if (loader_file.empty())
        return Error{ErrorCode::not_found, "the loader image that comes with mcuota is not installed",
                     "install the package mcuota-board, or name one with --loader", 0};
    auto loader = read_file(loader_file, kLoaderBytesMax);
    if (!loader) return loader.error();
    const auto scratch = ScratchFolder::make();
    if (!scratch) return scratch.error();
    const auto files = write_case({*entry, *index, *base, *image, *loader}, scratch->path());
    if (!files) return files.error();

    std::string program = options.board;
    if (program.empty()) program = beside_program({"mcuota-board"}).string();
    if (program.empty()) program = "mcuota-board";
    Totals totals;
    const auto begin = std::chrono::steady_clock::now();
    std::optional<ProgressBar> bar;  // one for each kind of job: each has its own pace
    std::string proving;
    const auto code =
        run_prover(program, prover_arguments(options, *files, scratch->path(), (*entry)->manifest),
                   [&](const boost::json::object& line) {
                       if (text(line, "event") == "scenario") take_scenario(line, totals);
                       if (text(line, "event") != "progress") return;
                       if (const std::string name = text(line, "scenario"); name != proving) {
                           proving = name;
                           bar.emplace("proving " + name);
                       }
                       bar->show(number(line, "done"), number(line, "of"));
                   });
    bar.reset();
    if (!code) return code.error();
    if (*code == kProverFailed || *code == kProverUsage)  // it said what it was given cannot be proven
        return Error{ErrorCode::usage, "the proof could not be carried out",
                     "read what mcuota-board said above; docs/prove.md helps", 0};
    if (totals.scenarios.empty())
        return Error{ErrorCode::internal, "mcuota-board ended without a result",
                     "run it again; if it does so again, report the command", 0};
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    const std::string_view payload = package::to_string((*entry)->manifest.payloads[*index].kind);
    if (options.json)
        print_json({{"cuts", totals.cuts},
                    {"resets", totals.resets},
                    {"bricked", totals.bricked},
                    {"ended_old", totals.ended_old},
                    {"ended_new", totals.ended_new},
                    {"depth", options.depth},
                    {"seed", options.seed},
                    {"seconds", seconds},
                    {"failed", totals.failed},
                    {"payload", payload},
                    {"hardware", files->hardware},
                    {"scenarios", totals.scenarios}});
    else
        say_result(totals, options, *files, payload, seconds);
    return totals.bricked == 0 ? 0 : exit_code(ErrorCode::device_refused);
}

}  // namespace mcuota::pack
