// Parses the command line and calls the command.
#include "daemon/cli/run.hpp"

#include <algorithm>
#include <clocale>
#include <cstdio>
#include <exception>
#include <optional>

#include "daemon/cli/command_line.hpp"
#include "daemon/cli/commands.hpp"

namespace mcuota::cli {
namespace {

constexpr int kUsage = 2;

std::optional<std::filesystem::path> path_or_none(const std::string& text) {
    if (text.empty()) return std::nullopt;
    return std::filesystem::path(text);
}

int dispatch(const Context& context) {
    switch (context.options.command) {
        case Command::config_check:
            return run_config_check(context);
        case Command::completion:
            return run_completion(context);
        default:
            break;
    }
    auto place = find_place(path_or_none(context.options.socket), path_or_none(context.options.config));
    if (!place) return fail(context, place.error());
    Reader reader(std::move(*place));
    switch (context.options.command) {
        case Command::status:
            return run_status(context, reader);
        case Command::device_list:
            return run_device_list(context, reader);
        case Command::device_show:
            return run_device_show(context, reader);
        case Command::device_refresh:
            return run_device_refresh(context, reader);
        case Command::job_list:
            return run_job_list(context, reader);
        case Command::job_show:
            return run_job_show(context, reader);
        case Command::job_watch:
            return run_job_watch(context, reader);
        case Command::job_cancel:
            return run_job_cancel(context, reader);
        case Command::job_retry:
            return run_job_retry(context, reader);
        case Command::install:
            return run_install(context, reader);
        case Command::rollback:
            return run_rollback(context, reader);
        default:
            break;
    }
    return kUsage;
}

/// The command whose help fits what was typed: the deepest one named.
const CLI::App* deepest(const CLI::App& app) {
    const CLI::App* here = &app;
    for (auto below = here->get_subcommands(); !below.empty(); below = here->get_subcommands())
        here = below.front();
    return here;
}

std::string full_name(const CLI::App& app) {
    const CLI::App* parent = app.get_parent();
    return parent == nullptr ? app.get_name() : full_name(*parent) + " " + app.get_name();
}

}  // namespace

int run(const std::vector<std::string>& arguments) {
    std::setlocale(LC_CTYPE, "");
    try {
        Options options;
        const auto app = make_command_line(options);
        if (const auto wrong = unknown_word(*app, arguments)) {
            std::fprintf(stderr, "mcuota: %s\n  See: mcuota --help\n", wrong->c_str());
            return kUsage;
        }
        try {
            std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
            app->parse(std::move(reversed));
        } catch (const CLI::Success& wanted) {  // --help, --version
            return app->exit(wanted);
        } catch (const CLI::ParseError& problem) {
            std::fprintf(stderr, "mcuota: %s\n  See: %s --help\n", problem.what(),
                         full_name(*deepest(*app)).c_str());
            return kUsage;
        }
        const Context context{options, Style::of(1), Style::of(2)};
        return dispatch(context);
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "mcuota: a fault in mcuota itself: %s\n", problem.what());
        return 1;
    }
}

}  // namespace mcuota::cli
