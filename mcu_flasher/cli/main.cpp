// mcuota-flash: one device directly, from a bench or a factory line. This file is the command line only.
#include <CLI/CLI.hpp>
#include <functional>
#include <iostream>
#include <span>
#include <string>
#include <vector>

#include "mcu_flasher/base/program.hpp"
#include "mcu_flasher/cli/commands.hpp"
#include "mcu_flasher/cli/output.hpp"

namespace {

using mcuota::Result;
namespace flash = mcuota::flash;

constexpr std::uint32_t kTimeoutMax = 3'600;

struct Arguments {
    flash::Common common;
    flash::PushOptions push;
    std::string rotation_file;
    std::uint32_t install_timeout_s{180};
    bool stay_in_loader{false};
    flash::SelfTestOptions self_test;
    std::function<Result<void>()> run;
};

CLI::App* add_command(CLI::App& app, Arguments& all, const char* name, const char* description,
                      const char* example, std::function<Result<void>()> run) {
    CLI::App* const command = app.add_subcommand(name, description);
    command->footer(std::string("Example:\n  ") + example);
    // Both before and after the command's name.
    command->add_option("--link", all.common.link, "uart:/dev/ttyUSB0[:baud[:address]] or tcp:HOST:PORT");
    command->add_flag("--json", all.common.json, "print one JSON document and nothing else");
    command->callback([&all, run = std::move(run)] { all.run = run; });
    return command;
}

void add_commands(CLI::App& app, Arguments& all) {
    add_command(app, all, "info", "Show who answers, what runs there and what it holds",
                "mcuota-flash --link uart:/dev/ttyUSB0:921600 info",
                [&all] { return flash::info(all.common); });

    CLI::App* c = add_command(app, all, "push", "Send a package, install it and follow it to its end",
                              "mcuota-flash --link uart:/dev/ttyUSB0:921600 push pump-2.0.0.mcup", [&all] {
                                  all.push.install_timeout_s = all.install_timeout_s;
                                  return flash::push(all.common, all.push);
                              });
    c->add_option("package", all.push.file, "package to install")->required();
    c->add_option("--pubkey", all.push.pubkeys,
                  "check the signature with this public key first; may be repeated")
        ->allow_extra_args(false);
    c->add_flag("--full", all.push.full, "send the full image even when a delta would do");
    c->add_option("--install-timeout", all.install_timeout_s, "seconds until the outcome must be known")
        ->check(CLI::Range(1U, kTimeoutMax))
        ->capture_default_str();

    add_command(app, all, "confirm", "Confirm the image on trial",
                "mcuota-flash --link uart:/dev/ttyUSB0 confirm",
                [&all] { return flash::confirm(all.common); });

    c = add_command(app, all, "rollback", "Go back to the backup image the device holds",
                    "mcuota-flash --link uart:/dev/ttyUSB0 rollback",
                    [&all] { return flash::rollback(all.common, all.install_timeout_s); });
    c->add_option("--install-timeout", all.install_timeout_s, "seconds until the outcome must be known")
        ->check(CLI::Range(1U, kTimeoutMax))
        ->capture_default_str();

    c = add_command(app, all, "reboot", "Restart the device",
                    "mcuota-flash --link uart:/dev/ttyUSB0 reboot --loader",
                    [&all] { return flash::reboot(all.common, all.stay_in_loader); });
    c->add_flag("--loader", all.stay_in_loader, "stay in the loader instead of starting the application");

    c = add_command(app, all, "rotate",
                    "Hand key rotation records to the device: its next key becomes current",
                    "mcuota-flash --link uart:/dev/ttyUSB0 rotate 2027.mcuk",
                    [&all] { return flash::rotate(all.common, all.rotation_file); });
    c->add_option("record", all.rotation_file, "one or more records (mcuota-pack rotate)")->required();

    c = add_command(app, all, "selftest",
                    "Test the memory drivers of a loader's port; erases everything the device holds",
                    "mcuota-flash --link uart:/dev/ttyUSB0:921600 selftest --yes-erase-everything",
                    [&all] { return flash::self_test(all.common, all.self_test); });
    c->add_flag("--yes-erase-everything", all.self_test.erase_everything,
                "the application, its backup, keys and journal may be erased: they will be");
    c->add_flag("--quick", all.self_test.quick, "only the first and the last 64 KiB of each region");
    c->add_option("--seed", all.self_test.seed, "repeat a test: the seed it printed (default: a new one)")
        ->check(CLI::Range(1U, 0xFFFF'FFFFU));

    add_command(app, all, "log", "Print the loader's journal", "mcuota-flash --link uart:/dev/ttyUSB0 log",
                [&all] { return flash::log(all.common); });
}

int run(int argc, char** argv) {
    CLI::App app("One device directly: look at it, send it a package, take it back.", "mcuota-flash");
    app.set_version_flag("--version", "mcuota-flash " MCUOTA_VERSION);
    app.footer("Example:\n  mcuota-flash --link uart:/dev/ttyUSB0:921600 push pump-2.0.0.mcup");
    app.require_subcommand(1);
    Arguments all;
    app.add_option("--link", all.common.link, "uart:/dev/ttyUSB0[:baud[:address]] or tcp:HOST:PORT");
    app.add_option("--timeout", all.common.timeout_s, "seconds until the device must have answered")
        ->check(CLI::Range(1U, kTimeoutMax))
        ->capture_default_str();
    app.add_flag("--json", all.common.json, "print one JSON document and nothing else");
    add_commands(app, all);
    std::vector<std::string> names;
    for (const CLI::App* const command : app.get_subcommands({}))
        names.push_back(command->get_name());
    const auto arguments = std::span<char* const>(argv, static_cast<std::size_t>(argc)).subspan(1);
    if (const std::string problem = mcuota::unknown_command(arguments, names, {"--link", "--timeout"});
        !problem.empty()) {
        flash::remark(problem);
        return mcuota::kExitUsage;
    }
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error, std::cout, std::cerr) == 0 ? 0 : mcuota::kExitUsage;
    }
    if (all.common.link.empty()) {
        flash::report({mcuota::ErrorCode::usage, "no link is given",
                       "say where the device is: --link uart:/dev/ttyUSB0"},
                      all.common.json);
        return mcuota::kExitUsage;
    }
    if (const Result<void> result = all.run(); !result) {
        flash::report(result.error(), all.common.json);
        return mcuota::exit_code(result.error().code);
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    return mcuota::run_program("mcuota-flash", [&] { return run(argc, argv); });
}
