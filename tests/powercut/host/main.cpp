// mcuota_cut_sweep: cuts the loader's power at every flash operation of every kind of job, on the host, and
// says what became of the device. docs/power-cuts.md is for those who want to trust it.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <iostream>
#include <string>
#include <utility>

#include "tests/powercut/host/plan.hpp"

namespace mcuota::powercut {
namespace {

constexpr int kExitBricks = 1;
constexpr int kExitUsage = 2;

struct Arguments {
    std::vector<std::string> scenarios, geometries, sizes, modes;
    bool all{false};
    bool list{false};
    bool quiet{false};
    bool trace{false};
    bool json{false};
    std::uint32_t seed{1};
    std::uint64_t every{0};
    std::uint64_t trials{0};
    std::string part{"1/1"};
    std::string id;
};

bool wanted(const std::vector<std::string>& filter, const std::string& name) {
    return filter.empty() || std::find(filter.begin(), filter.end(), name) != filter.end();
}

const char* name_of(device::Phase phase) {
    switch (phase) {
        case device::Phase::idle:
            return "idle";
        case device::Phase::install_requested:
            return "install_requested";
        case device::Phase::backing_up:
            return "backing_up";
        case device::Phase::applying:
            return "applying";
        case device::Phase::trial:
            return "trial";
        case device::Phase::rollback_requested:
            return "rollback_requested";
        case device::Phase::restoring:
            return "restoring";
        case device::Phase::halted:
            return "halted";
    }
    return "?";
}

int run_one(const std::string& text, bool trace) {
    const std::optional<TrialId> id = parse_trial_id(text);
    const NamedGeometry* const geometry = id ? find_geometry(id->geometry) : nullptr;
    std::optional<Case> subject = geometry ? make_case(id->scenario, *geometry, id->size) : std::nullopt;
    if (!subject) {
        std::cerr << "mcuota_cut_sweep: no trial has the id '" << text << "'; --list shows the cases\n";
        return kExitUsage;
    }
    const std::string trouble =
        trace ? trace_trial(*subject, id->cuts, std::cout) : run_trial(*subject, id->cuts);
    std::cout << to_string(subject->id, id->cuts) << ": " << (trouble.empty() ? "sound" : trouble) << '\n';
    return trouble.empty() ? 0 : kExitBricks;
}

void print_json(const std::string& id, const SweepReport& report) {
    std::cout << R"({"case":")" << id << R"(","operations":)" << report.operations << R"(,"cuts":)"
              << report.cut_points << R"(,"bricks":)" << report.bricks.size() << R"(,"phases":[)";
    const char* separator = "";
    for (const device::Phase phase : report.way) {
        std::cout << separator << '"' << name_of(phase) << '"';
        separator = ",";
    }
    std::cout << R"(],"ends":{)";
    separator = "";
    for (const auto& [end, count] : report.ends) {
        std::cout << separator << '"' << end << "\":" << count;
        separator = ",";
    }
    std::cout << "}}" << std::endl;
}

void print_summary(const SweepReport& report, std::uint32_t seed) {
    std::cout << "phases found when power returned:";
    for (const auto& [phase, count] : report.phases) {
        std::cout << ' ' << name_of(phase) << ' ' << count;
    }
    std::cout << "\n"
              << report.cases << " cases, " << report.operations << " flash operations, " << report.cut_points
              << " cut points, " << report.trials << " devices followed to the end, " << report.states.size()
              << " states reached, " << report.bricks.size() << " bricks, seed " << seed << '\n';
}

/// "1/4" as numbers; 0 of 0 when it is not written so.
std::pair<unsigned, unsigned> part_of(const std::string& text) {
    std::pair<unsigned, unsigned> numbers{0, 0};
    const char* const end = text.data() + text.size();
    const auto first = std::from_chars(text.data(), end, numbers.first);
    if (first.ec != std::errc{} || first.ptr == end || *first.ptr != '/') return {0, 0};
    const auto second = std::from_chars(first.ptr + 1, end, numbers.second);
    return second.ec == std::errc{} && second.ptr == end ? numbers : std::pair{0U, 0U};
}

int run_plan(const Arguments& arguments) {
    std::vector<PlanRow> rows = arguments.all ? long_plan(arguments.seed) : short_plan(arguments.seed);
    const auto [part, parts] = part_of(arguments.part);
    if (part < 1 || part > parts) {
        std::cerr << "mcuota_cut_sweep: --part takes for example 1/4\n";
        return kExitUsage;
    }
    SweepReport total;
    std::size_t chosen = 0;
    for (PlanRow& row : rows) {
        if (!wanted(arguments.scenarios, row.scenario) || !wanted(arguments.geometries, row.geometry) ||
            !wanted(arguments.sizes, row.size) || !wanted(arguments.modes, name(row.options.mode)) ||
            chosen++ % parts != part - 1) {
            continue;
        }
        row.options.every = arguments.every != 0 ? arguments.every : row.options.every;
        row.options.trials = arguments.trials != 0 ? arguments.trials : row.options.trials;
        if (arguments.list) {
            std::cout << row.scenario << '/' << row.geometry << '/' << row.size << ' '
                      << name(row.options.mode) << '\n';
            continue;
        }
        const std::optional<Case> subject = make_case(row.scenario, *find_geometry(row.geometry), row.size);
        if (!subject) {
            std::cerr << "mcuota_cut_sweep: the plan names a case that is none: " << row.scenario << '\n';
            return kExitUsage;
        }
        const SweepReport report = sweep(*subject, row.options);
        if (arguments.json) {
            print_json(subject->id, report);
        } else if (!arguments.quiet) {
            std::cout << subject->id << ' ' << name(row.options.mode) << ": " << report.operations
                      << " operations, " << report.cut_points << " cut points, " << report.bricks.size()
                      << " bricks" << std::endl;
        }
        for (const Brick& brick : report.bricks) {
            std::cout << "  BRICK --id '" << brick.id << "': " << brick.what << std::endl;
        }
        total.add(report);
    }
    if (chosen == 0) {
        std::cerr << "mcuota_cut_sweep: no case fits; --list shows them\n";
        return kExitUsage;
    }
    if (!arguments.list && !arguments.json) {
        print_summary(total, arguments.seed);
    }
    return total.bricks.empty() ? 0 : kExitBricks;
}

int run(int argc, char** argv) {
    Arguments arguments;
    CLI::App app{
        "Cuts the loader's power everywhere, on the host, and checks what it promises. Ends with 1 "
        "when a promise was broken."};
    app.add_flag("--all", arguments.all, "the long plan: millions of cut points");
    app.add_flag("--list", arguments.list, "only say which cases would be swept");
    app.add_flag("--quiet", arguments.quiet, "no line for each case");
    app.add_flag("--json", arguments.json, "a JSON line for each case instead of text");
    app.add_option("--scenario", arguments.scenarios, "only these scenarios");
    app.add_option("--geometry", arguments.geometries, "only these geometries");
    app.add_option("--size", arguments.sizes, "only these sizes");
    app.add_option("--mode", arguments.modes, "only single, pairs, random or brown-out");
    app.add_option("--every", arguments.every, "cut at each Nth operation only");
    app.add_option("--trials", arguments.trials, "random and brown-out: trials a case");
    app.add_option("--seed", arguments.seed, "for everything that is mixed at random");
    app.add_option("--part", arguments.part, "I/N: the Ith of N equal parts of the plan");
    app.add_option("--id", arguments.id, "run this one trial again");
    app.add_flag("--trace", arguments.trace, "with --id: tell every flash operation");
    CLI11_PARSE(app, argc, argv);
    return arguments.id.empty() ? run_plan(arguments) : run_one(arguments.id, arguments.trace);
}

}  // namespace
}  // namespace mcuota::powercut

int main(int argc, char** argv) {
    try {
        return mcuota::powercut::run(argc, argv);
    } catch (const std::exception& error) {
        std::cerr << "mcuota_cut_sweep: " << error.what() << '\n';
        return mcuota::powercut::kExitUsage;
    }
}
