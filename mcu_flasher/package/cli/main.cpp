// mcuota-pack: keys, packages, deltas and their inspection, for release engineers.

#include <iostream>
#include <span>
#include <string>
#include <vector>

#include "mcu_flasher/base/program.hpp"
#include "mcu_flasher/package/cli/command_line.hpp"
#include "mcu_flasher/package/cli/output.hpp"

namespace {

using mcuota::Result;
namespace pack = mcuota::pack;

int run(int argc, char** argv) {
    CLI::App app("Keys, packages, deltas and their inspection for mcuota.", "mcuota-pack");
    app.set_version_flag("--version", "mcuota-pack " MCUOTA_VERSION);
    app.footer("Example:\n  mcuota-pack create --help");
    app.require_subcommand(1);
    pack::AllOptions all;
    pack::Chosen chosen;
    pack::add_commands(app, chosen, all);
    std::vector<std::string> names;
    for (const CLI::App* const command : app.get_subcommands({}))
        names.push_back(command->get_name());
    const auto arguments = std::span<char* const>(argv, static_cast<std::size_t>(argc)).subspan(1);
    if (const std::string problem = mcuota::unknown_command(arguments, names); !problem.empty()) {
        pack::remark(problem);
        return mcuota::kExitUsage;
    }
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error, std::cout, std::cerr) == 0 ? 0 : mcuota::kExitUsage;
    }
    if (const Result<void> result = chosen.run(); !result) {
        pack::report(result.error(), *chosen.json);
        return mcuota::exit_code(result.error().code);
    }
    return chosen.exit_code;
}

}  // namespace

int main(int argc, char** argv) {
    return mcuota::run_program("mcuota-pack", [&] { return run(argc, argv); });
}
