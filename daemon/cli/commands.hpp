#pragma once
// What the commands do. Each prints its result and returns the exit code of operator-surface.

#include "daemon/cli/command_line.hpp"
#include "daemon/cli/reader.hpp"
#include "daemon/cli/terminal.hpp"
#include "mcu_flasher/base/error.hpp"

namespace mcuota::cli {

/// What every command gets.
struct Context {
    const Options& options;
    Style out;  ///< of standard output
    Style err;  ///< of standard error
};

/// Says the error (standard error; with --json also as JSON on standard output) and gives its exit code.
int fail(const Context& context, const Error& error);
/// One JSON document and a line break on standard output.
void print_json(const boost::json::value& value);
[[nodiscard]] std::int64_t now_ms();

int run_status(const Context& context, Reader& reader);
int run_device_list(const Context& context, Reader& reader);
int run_device_show(const Context& context, Reader& reader);
int run_device_refresh(const Context& context, Reader& reader);
int run_job_list(const Context& context, Reader& reader);
int run_job_show(const Context& context, Reader& reader);
int run_job_watch(const Context& context, Reader& reader);
int run_job_cancel(const Context& context, Reader& reader);
int run_job_retry(const Context& context, Reader& reader);
int run_install(const Context& context, Reader& reader);
int run_rollback(const Context& context, Reader& reader);
int run_config_check(const Context& context);
int run_completion(const Context& context);

/// Exit code that fits how a job ended: 0 succeeded, its error's code otherwise.
[[nodiscard]] int exit_code_of(const boost::json::value& job);

}  // namespace mcuota::cli
