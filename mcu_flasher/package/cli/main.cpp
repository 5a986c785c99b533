// mcuota-pack: keys, packages, deltas and their inspection, for release engineers.

#include <exception>
#include <iostream>
#include <string>

#include "mcu_flasher/package/cli/command_line.hpp"
#include "mcu_flasher/package/cli/output.hpp"

namespace {

using mcuota::Result;
namespace pack = mcuota::pack;

constexpr int kExitUsage = 2;
constexpr int kExitFailed = 1;

/// A sentence about a first word that names no command; empty when all is well.
std::string unknown_command(const CLI::App& app, int argc, char** argv) {
    if (argc < 2 || argv[1][0] == '-') return {};
    std::string names;
    for (const CLI::App* const command : app.get_subcommands({})) {
        if (command->get_name() == argv[1]) return {};
        names += (names.empty() ? "" : ", ") + command->get_name();
    }
    return "no command \"" + std::string(argv[1]) + "\"; there are " + names;
}

int run(int argc, char** argv) {
    CLI::App app("Keys, packages, deltas and their inspection for mcuota.", "mcuota-pack");
    app.set_version_flag("--version", "mcuota-pack " MCUOTA_VERSION);
    app.footer("Example:\n  mcuota-pack create --help");
    app.require_subcommand(1);
    pack::AllOptions all;
    pack::Chosen chosen;
    pack::add_commands(app, chosen, all);
    if (const std::string problem = unknown_command(app, argc, argv); !problem.empty()) {
        pack::remark(problem);
        return kExitUsage;
    }
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error, std::cout, std::cerr) == 0 ? 0 : kExitUsage;
    }
    int code = 0;
    if (const Result<void> result = chosen.run(); !result) {
        pack::report(result.error(), *chosen.json);
        code = mcuota::exit_code(result.error().code);
    }
    std::cout.flush();
    if (!std::cout) {
        pack::remark("standard output cannot be written");
        return code == 0 ? kExitFailed : code;
    }
    return code;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {  // out of memory, or a fault of a library
        pack::remark(std::string("stopped: ") + error.what());
        return kExitFailed;
    }
}
