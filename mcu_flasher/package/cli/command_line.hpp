#pragma once
// The commands and options of mcuota-pack as the command line has them.

#include <CLI/CLI.hpp>
#include <functional>

#include "mcu_flasher/package/cli/commands.hpp"

namespace mcuota::pack {

/// A command that has been parsed: what to run, and whether its error is wanted as JSON, too.
struct Chosen {
    std::function<Result<void>()> run;
    const bool* json{nullptr};
    int exit_code{0};  ///< of a command that was performed but whose answer is no
};

/// Options of all commands; outlives the parsed command line.
struct AllOptions {
    KeygenOptions keygen;
    CreateOptions create;
    RotateOptions rotate;
    MergeOptions merge;
    InspectOptions inspect;
    VerifyOptions verify;
    ApplyOptions apply;
    DiffOptions diff;
    PatchOptions patch;
    ZipOptions zip;
    ProveOptions prove;
    ExtractOptions extract;
};

/// Adds every command to `app`; parsing then fills `all` and `chosen`.
void add_commands(CLI::App& app, Chosen& chosen, AllOptions& all);

}  // namespace mcuota::pack
