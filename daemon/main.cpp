// mcuotad: command line, configuration, exit code. Everything else is in daemon.cpp.
#include <signal.h>

#include <cstdio>
#include <exception>
#include <string>
#include <string_view>

#include "daemon/config/config.hpp"
#include "daemon/daemon.hpp"
#include "daemon/log.hpp"
#include "daemon/service_manager.hpp"
#include "daemon/version.hpp"

namespace {

constexpr const char* kHelp =
    "mcuotad keeps the microcontrollers behind this gateway up to date.\n"
    "\n"
    "usage: mcuotad [--config FILE]\n"
    "\n"
    "  --config FILE  the configuration (default /etc/mcuota/mcuota.toml); check it with: mcuota config "
    "check FILE\n"
    "  --version      print the version\n"
    "  --help         print this\n"
    "\n"
    "It runs in the foreground, logs to standard error and stops on SIGTERM or SIGINT; what is under way "
    "then goes on\n"
    "at the next start. See mcuotad(8); talk to it with mcuota(1).\n"
    "\n"
    "Example: mcuotad --config ./mcuota.toml\n"
    "Exit codes: 0 stopped as asked, 1 failed, 2 usage or configuration error, 4 refused.\n";

mcuota::Severity severity(mcuota::config::LogLevel level) {
    using mcuota::config::LogLevel;
    switch (level) {
        case LogLevel::error:
            return mcuota::Severity::error;
        case LogLevel::warning:
            return mcuota::Severity::warning;
        case LogLevel::info:
            return mcuota::Severity::info;
        case LogLevel::debug:
            break;
    }
    return mcuota::Severity::debug;
}

int run(const std::string& file) {
    const bool prefix = mcuota::ServiceManager::logs_to_journal();
    const mcuota::config::Loaded loaded = mcuota::config::load(file);
    mcuota::Log log(severity(loaded.config.daemon.log_level), prefix);
    for (const mcuota::config::ConfigProblem& problem : loaded.problems) {
        if (problem.severity == mcuota::config::ConfigProblem::Severity::error)
            log.error(problem.line_text());
        else
            log.warning(problem.line_text());
    }
    if (!loaded.usable()) {
        log.error("not started: the configuration is wrong; check it with: mcuota config check " + file);
        return 2;
    }
    const mcuota::Result<void> done = mcuota::run_daemon(loaded.config, log);
    if (done) return 0;
    log.error("not started: " + done.error().line());
    return mcuota::exit_code(done.error().code);
}

}  // namespace

int main(int argc, char** argv) {
    std::string file = mcuota::config::kDefaultFile;
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        if (argument == "--help" || argument == "-h") {
            std::fputs(kHelp, stdout);
            return 0;
        }
        if (argument == "--version") {
            std::printf("mcuotad %s\n", std::string(mcuota::kVersion).c_str());
            return 0;
        }
        if (argument == "--config" && i + 1 < argc) {
            file = argv[++i];
        } else if (argument.starts_with("--config=")) {
            file = argument.substr(std::string_view("--config=").size());
        } else {
            std::fprintf(stderr, "mcuotad: cannot understand \"%s\"; see mcuotad --help\n", argv[i]);
            return 2;
        }
    }
    ::signal(SIGPIPE, SIG_IGN);  // a client that went away is an error value, not the end
    try {
        return run(file);
    } catch (const std::exception& exception) {
        std::fprintf(stderr, "mcuotad: ended unexpectedly: %s; please report this as a bug\n",
                     exception.what());
        return 1;
    }
}
