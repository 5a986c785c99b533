#pragma once
// The command line of mcuota: every command and option, as CLI11 knows them, and what a mistyped one was
// meant to be.

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mcuota::cli {

enum class Command : std::uint8_t {
    none,
    status,
    device_list,
    device_show,
    device_refresh,
    job_list,
    job_show,
    job_watch,
    job_cancel,
    job_retry,
    install,
    rollback,
    config_check,
    completion,
};

/// What the person asked for.
struct Options {
    Command command{Command::none};
    bool json{false};
    std::string socket;  ///< empty: not named
    std::string config;  ///< empty: not named
    std::string name;    ///< device show|refresh, rollback
    std::int64_t id{0};  ///< job …; 0: none named
    std::string state;   ///< job list: states, separated by commas
    std::string device;
    std::string since;
    std::uint32_t limit{50};
    bool full{false};
    std::string file;  ///< install, config check
    std::vector<std::string> devices;
    bool dry_run{false};
    bool no_wait{false};
    std::string shell;
};

/// The parser, writing into `options` (which must outlive it).
[[nodiscard]] std::unique_ptr<CLI::App> make_command_line(Options& options);

/// When a command or option among `arguments` does not exist: what to say, with the nearest one that does.
[[nodiscard]] std::optional<std::string> unknown_word(const CLI::App& app,
                                                      const std::vector<std::string>& arguments);

/// Fewest insertions, deletions, replacements and swaps of neighbours that turn one word into the other.
[[nodiscard]] std::size_t word_distance(std::string_view a, std::string_view b);

}  // namespace mcuota::cli
