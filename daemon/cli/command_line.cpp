// Commands and options of mcuota.
#include "daemon/cli/command_line.hpp"

#include <algorithm>
#include <utility>

#include "daemon/api/routes.hpp"

namespace mcuota::cli {
namespace {

constexpr std::size_t kNearEnough = 3;

/// A command at the end of the line: sets `command` when chosen.
CLI::App* leaf(CLI::App& parent, Options& options, const char* name, const char* what, Command command,
               const char* example) {
    CLI::App* app = parent.add_subcommand(name, what);
    app->callback([&options, command] { options.command = command; });
    app->footer(std::string("Example:\n  ") + example);
    app->add_flag("--json", options.json, "print JSON and nothing else");
    app->add_option("--socket", options.socket, "the daemon's socket (default: as configured)")
        ->type_name("PATH");
    app->add_option("--config", options.config,
                    "configuration of the gateway (default: /etc/mcuota/mcuota.toml)")
        ->type_name("FILE");
    return app;
}

CLI::App* group(CLI::App& parent, const char* name, const char* what) {
    CLI::App* app = parent.add_subcommand(name, what);
    app->require_subcommand(1);
    return app;
}

void add_device(CLI::App& app, Options& options) {
    CLI::App* device = group(app, "device", "the microcontrollers of this gateway");
    leaf(*device, options, "list", "all of them, with version and state", Command::device_list,
         "mcuota device list --json | jq '.[].running.version'");
    leaf(*device, options, "show", "identity, versions, loader state of one", Command::device_show,
         "mcuota device show pump-3")
        ->add_option("name", options.name, "name of the device")
        ->required()
        ->type_name("NAME");
    leaf(*device, options, "refresh", "ask one who it is now", Command::device_refresh,
         "mcuota device refresh pump-3")
        ->add_option("name", options.name, "name of the device")
        ->required()
        ->type_name("NAME");
}

void add_id(CLI::App* app, Options& options, bool required) {
    app->add_option("id", options.id, "number of the job")
        ->required(required)
        ->type_name("ID")
        ->check(CLI::Validator(
            [](const std::string& text) {
                const bool good = !text.empty() && text.size() < 19 && text[0] != '0' &&
                                  text.find_first_not_of("0123456789") == std::string::npos;
                return good ? std::string() : "\"" + text + "\" is not a job number (see: mcuota job list)";
            },
            ""));
}

void add_job(CLI::App& app, Options& options) {
    CLI::App* job = group(app, "job", "what clouds and people asked for");
    CLI::App* list = leaf(*job, options, "list", "jobs, newest first", Command::job_list,
                          "mcuota job list --state failed --since 2d");
    list->add_option("--state", options.state, "only in these states, separated by commas")
        ->type_name("STATE");
    list->add_option("--device", options.device, "only of this device")->type_name("NAME");
    list->add_option("--since", options.since,
                     "only created since a time (RFC 3339, date) or age (90s, 15m, 2h, 3d)")
        ->type_name("TIME");
    list->add_option("--limit", options.limit, "at most this many (default 50)")
        ->type_name("N")
        ->check(CLI::Range(std::uint32_t{1}, api::kJobsLimitMax, ""));
    add_id(leaf(*job, options, "show", "life of one job: every step with time and reason", Command::job_show,
                "mcuota job show 7"),
           options, true);
    add_id(leaf(*job, options, "watch", "progress, live; without ID of all running jobs until Ctrl-C",
                Command::job_watch, "mcuota job watch 7"),
           options, false);
    add_id(leaf(*job, options, "cancel", "stop a job that the device has not begun to install",
                Command::job_cancel, "sudo mcuota job cancel 7"),
           options, true);
    CLI::App* retry =
        leaf(*job, options, "retry", "start a failed job over, or end the wait of a running one",
             Command::job_retry, "sudo mcuota job retry 7 --full");
    add_id(retry, options, true);
    retry->add_flag("--full", options.full, "send the whole image, no difference to the old one");
}

void add_install(CLI::App& app, Options& options) {
    CLI::App* install =
        leaf(app, options, "install", "install a package file on devices and wait for the outcome",
             Command::install, "sudo mcuota install pump-2.0.0.mcup --device pump-3 --device pump-4");
    install->add_option("file", options.file, "package made by mcuota-pack")->required()->type_name("FILE");
    install->add_option("--device", options.devices, "a device to install it on; may be repeated")
        ->required()
        ->type_name("NAME")
        ->expected(1)
        ->allow_extra_args(false)
        ->take_all();
    install->add_flag("--dry-run", options.dry_run, "check everything, start nothing");
    install->add_flag("--no-wait", options.no_wait, "end once the jobs are accepted");
}

void add_rollback(CLI::App& app, Options& options) {
    CLI::App* rollback = leaf(app, options, "rollback",
                              "go back to the image a device keeps as its backup, and wait for the outcome",
                              Command::rollback, "sudo mcuota rollback pump-3");
    rollback->add_option("device", options.name, "name of the device")->required()->type_name("DEVICE");
    rollback->add_flag("--no-wait", options.no_wait, "end once the job is accepted");
}

void add_rest(CLI::App& app, Options& options) {
    CLI::App* config = group(app, "config", "the gateway's configuration");
    leaf(*config, options, "check", "every problem with file, line, key and the mend", Command::config_check,
         "mcuota config check /etc/mcuota/mcuota.toml")
        ->add_option("file", options.file, "configuration file (default: /etc/mcuota/mcuota.toml)")
        ->type_name("FILE");
    CLI::App* completion = app.add_subcommand("completion", "print the completion script of a shell");
    completion->callback([&options] { options.command = Command::completion; });
    completion->footer("Example:\n  mcuota completion bash > /etc/bash_completion.d/mcuota");
    completion->add_option("shell", options.shell, "bash or zsh")
        ->required()
        ->type_name("SHELL")
        ->check(CLI::IsMember({"bash", "zsh"}));
}

template <class Names>
std::string nearest(const std::string& word, const Names& names) {
    std::string best;
    std::size_t best_distance = kNearEnough;
    for (const std::string& name : names) {
        const std::size_t distance = word_distance(word, name);
        if (distance < best_distance && distance < name.size()) {
            best = name;
            best_distance = distance;
        }
    }
    return best;
}

std::vector<std::string> command_names(const CLI::App& app) {
    std::vector<std::string> out;
    for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; }))
        out.push_back(sub->get_name());
    return out;
}

std::vector<std::string> option_names(const CLI::App& app) {
    std::vector<std::string> out;
    for (const CLI::Option* option : app.get_options([](const CLI::Option*) { return true; }))
        for (const std::string& name : option->get_lnames())
            out.push_back("--" + name);
    return out;
}

const CLI::Option* option_named(const CLI::App& app, const std::string& name) {
    return app.get_option_no_throw(name);
}

std::string with_suggestion(std::string what, const std::string& prefix, const std::string& suggestion) {
    if (!suggestion.empty()) what += " Did you mean \"" + prefix + suggestion + "\"?";
    return what;
}

}  // namespace

std::unique_ptr<CLI::App> make_command_line(Options& options) {
    auto app = std::make_unique<CLI::App>(
        "Shows and steers the updates of the microcontrollers behind this gateway.", "mcuota");
    app->set_version_flag("--version", "mcuota " MCUOTA_VERSION, "print the version");
    app->add_flag("--json", options.json, "print JSON and nothing else");
    app->add_option("--socket", options.socket, "the daemon's socket (default: as configured)")
        ->type_name("PATH");
    app->add_option("--config", options.config,
                    "configuration of the gateway (default: /etc/mcuota/mcuota.toml)")
        ->type_name("FILE");
    app->require_subcommand(1);
    app->footer(
        "Exit codes: 0 done, 1 failed, 2 usage or configuration error, 3 not found, 4 refused, 5 daemon or "
        "device not "
        "reachable, 6 nothing to do.\nExample:\n  mcuota status\n\"mcuota COMMAND --help\" explains a "
        "command.");
    leaf(*app, options, "status", "one screen: cloud links, devices, running jobs, last failures",
         Command::status, "mcuota status");
    add_device(*app, options);
    add_job(*app, options);
    add_install(*app, options);
    add_rollback(*app, options);
    add_rest(*app, options);
    return app;
}

std::optional<std::string> unknown_word(const CLI::App& app, const std::vector<std::string>& arguments) {
    const CLI::App* here = &app;
    std::string path;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string& word = arguments[i];
        if (word == "--") return std::nullopt;
        if (word.size() > 1 && word[0] == '-') {
            const std::string name = word.substr(0, word.find('='));
            const CLI::Option* option = option_named(*here, name);
            if (option == nullptr)
                return with_suggestion(
                    "no option \"" + name + "\"" + (path.empty() ? "." : " for \"" + path + "\"."), "",
                    nearest(name, option_names(*here)));
            if (option->get_items_expected_max() > 0 && name.size() == word.size()) ++i;  // its value
            continue;
        }
        const auto commands = command_names(*here);
        if (commands.empty()) continue;  // an argument of the command
        if (std::find(commands.begin(), commands.end(), word) == commands.end()) {
            const std::string prefix = path.empty() ? "" : path + " ";
            return with_suggestion("no command \"" + prefix + word + "\".", prefix, nearest(word, commands));
        }
        here = here->get_subcommand(word);
        path += (path.empty() ? "" : " ") + word;
    }
    return std::nullopt;
}

std::size_t word_distance(std::string_view a, std::string_view b) {
    // Three rows of the usual table: the one two above is needed for swapped neighbours.
    std::vector<std::size_t> above2(b.size() + 1);
    std::vector<std::size_t> above(b.size() + 1);
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j)
        row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        above2.swap(above);
        above.swap(row);
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            row[j] =
                std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U)});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = std::min(row[j], above2[j - 2] + 1);
        }
    }
    return row[b.size()];
}

}  // namespace mcuota::cli
